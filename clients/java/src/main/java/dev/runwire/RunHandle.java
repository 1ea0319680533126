package dev.runwire;

import dev.runwire.v1.*;
import io.grpc.CallOptions;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;

/**
 * One run, which begins when it is first read. It can be read by many, and again: each reading begins at once, with the first
 * event, and ends with {@link CallException} when the call is refused or the server cannot be reached.
 */
public final class RunHandle {
    final RunwireClient client;
    final RunRequest request; // null: attach only
    final AttachRequest attach;
    final CompletableFuture<String> session = new CompletableFuture<>(); // its id, when the server has the run
    private final Duration deadline;

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
        Map<String, Saying.Shown> texts = new HashMap<>();
        return reading(false, (event, out) -> Saying.of(event).filter(Saying::isText).filter(saying -> !event.hasCompletion())
                .forEach(saying -> texts.computeIfAbsent(saying.id(), id -> new Saying.Shown()).add(saying, out::put)));
    }

    /** The assistant's messages and tools' results, when they are whole; {@link RunEndedException} if it does not end well. */
    public Reading<Message> messages() {
        return reading(true, (event, out) -> Saying.of(event).filter(Saying::isWhole).forEach(saying -> out.put(saying.whole())));
    }

    /** A stream for each of those messages, as soon as it begins; {@link RunEndedException} if the run does not end well. */
    public Reading<MessageStream> messageStreams() {
        Set<String> open = new HashSet<>();
        return reading(true, (event, out) -> Saying.of(event).forEach(saying -> {
            boolean isNew = event.hasCompletion() ? open.isEmpty() : open.add(saying.id());
            if (isNew) { out.put(new MessageStream(this, saying.id(), event)); }
            if (saying.isWhole()) { open.remove(saying.id()); }
        }));
    }

    /** The last message's text, when the run has ended; {@link RunEndedException} if not well. Cancelling cancels the call. */
    public CompletableFuture<String> text() {
        String[] last = {""};
        return this.<String>reading(true, (event, out) -> {
            Saying.of(event).filter(saying -> saying.isWhole() && saying.isText()).forEach(saying -> last[0] = saying.text());
            if (event.getCompletion().getOutcome() == Outcome.OUTCOME_COMPLETED) { out.put(last[0]); }
        }).first();
    }

    /** How the run ended, when it has. Cancelling cancels the call. */
    public CompletableFuture<Completion> result() {
        return this.<Completion>reading(false, (event, out) -> { if (event.hasCompletion()) { out.put(event.getCompletion()); } }).first();
    }

    /** Asks the run to stop, and returns whether that changed anything. Does not wait for its end. */
    public boolean cancel(String why) {
        CancelRequest.Builder stop = CancelRequest.newBuilder().setAppName(attach.getAppName()).setRequestId(requestId());
        return RunwireClient.call(() -> client.runner().cancel(stop.setReason(why).build())).getChanged();
    }

    CallOptions options() { return deadline == null ? CallOptions.DEFAULT : CallOptions.DEFAULT.withDeadlineAfter(deadline); }

    <T> Reading<T> reading(boolean isRaising, BiConsumer<Event, Reading<T>> reader) {
        return new Reading<T>().follow(this, (event, out) -> {
            reader.accept(event, out);
            boolean isBad = isRaising && event.getCompletion().getOutcome() != Outcome.OUTCOME_COMPLETED;
            if (event.hasCompletion()) { out.end(isBad ? new RunEndedException(event.getCompletion()) : null); }
        });
    }
}
