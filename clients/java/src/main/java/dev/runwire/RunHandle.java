package dev.runwire;

import dev.runwire.MessageStream.*;
import dev.runwire.v1.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;

/**
 * One run, which begins when it is first read. It can be read by many, and again: each reading begins at once, with the
 * first event, and throws {@link CallException} when it is refused, or the server cannot be reached.
 */
public final class RunHandle {
    final RunwireClient client;
    final RunRequest request; // null: it only attaches
    final AttachRequest attach;
    final Duration deadline;
    final CompletableFuture<String> session = new CompletableFuture<>(); // its id, once the server has the run
    CompletableFuture<?> begun = session;

    RunHandle(RunwireClient client, RunRequest request, AttachRequest attach, Duration deadline) {
        this.client = client;
        this.request = request;
        this.attach = attach;
        this.deadline = deadline;
    }

    /** Names the run. */
    public String requestId() { return attach.getRequestId(); }

    /** Its events, to its completion, however it ended: durable ones each once, in order. */
    public Reading<Event> events() { return reading(false, (event, out) -> out.put(event)); }

    /** The assistant's text piece by piece, each once, whatever the connection did. */
    public Reading<String> deltas() {
        Map<String, Shown> texts = new HashMap<>();
        return reading(false, (event, out) -> Saying.of(event).filter(it -> it.isText() && !event.hasCompletion())
                .forEach(it -> texts.computeIfAbsent(it.id(), id -> new Shown()).add(it, out::put)));
    }

    /** The assistant's messages and tools' results, when they are whole. Throws RunEndedException if it ends badly. */
    public Reading<Message> messages() {
        return reading(true, (event, out) ->
                Saying.of(event).filter(Saying::isWhole).forEach(it -> out.put(it.whole())));
    }

    /** A stream for each of those messages, as soon as it begins. Throws RunEndedException if the run ends badly. */
    public Reading<MessageStream> messageStreams() {
        Set<String> open = new HashSet<>();
        return reading(true, (event, out) -> Saying.of(event).forEach(it -> {
            boolean isNew = event.hasCompletion() ? open.isEmpty() : open.add(it.id());
            if (isNew) { out.put(new MessageStream(this, it.id(), event)); }
            if (it.isWhole()) { open.remove(it.id()); }
        }));
    }

    /** The last message's text, at the end. Throws RunEndedException if that is bad. Cancelling cancels the call. */
    public CompletableFuture<String> text() {
        String[] last = {""};
        return this.<String>reading(true, (event, out) -> {
            Saying.of(event).filter(it -> it.isWhole() && it.isText()).forEach(it -> last[0] = it.text());
            if (event.getCompletion().getOutcome() == Outcome.OUTCOME_COMPLETED) { out.put(last[0]); }
        }).first();
    }

    /** How the run ended, when it has. Cancelling cancels the call. */
    public CompletableFuture<Completion> result() {
        return this.<Completion>reading(false, (event, out) -> {
            if (event.hasCompletion()) { out.put(event.getCompletion()); }
        }).first();
    }

    /** Asks the run to stop, and returns whether that changed anything. Does not wait for its end. */
    public boolean cancel(String why) {
        CancelRequest request = CancelRequest.newBuilder().setAppName(attach.getAppName()).setRequestId(requestId())
                .setReason(why).build();
        return RunwireClient.call(() -> client.runner().cancel(request)).getChanged();
    }

    <T> Reading<T> reading(boolean isRaising, BiConsumer<Event, Reading<T>> reader) {
        return new Reading<T>().follow(this, (event, out) -> {
            reader.accept(event, out);
            boolean isBad = isRaising && event.getCompletion().getOutcome() != Outcome.OUTCOME_COMPLETED;
            if (event.hasCompletion()) { out.end(isBad ? new RunEndedException(event.getCompletion()) : null); }
        });
    }
}
