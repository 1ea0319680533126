package dev.runwire;

import dev.runwire.v1.*;
import io.grpc.CallOptions;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;

/**
 * One run. It begins when it is first read; it can be read by many, and again: each reading begins at once, with the first
 * event, and ends with {@link CallException} when the call is refused or the server cannot be reached.
 */
public final class RunHandle {
    final RunwireClient client;
    final RunRequest request;
    final AttachRequest attach;
    // The session, as soon as the server has the run and it is known.
    final CompletableFuture<String> session = new CompletableFuture<>();
    private final Duration deadline;

    /** Without a request it only attaches. */
    RunHandle(RunwireClient client, RunRequest request, AttachRequest attach, Duration deadline) {
        this.client = client;
        this.request = request;
        this.attach = attach;
        this.deadline = deadline;
    }

    /** Names the run. */
    public String requestId() { return attach.getRequestId(); }

    /** Its events to its completion, however it ended: durable ones each once, in order. */
    public Reading<Event> events() { return reading((event, out) -> out.put(event)); }

    /** The assistant's text piece by piece, each once, whatever the connection did. */
    public Reading<String> deltas() {
        Map<String, GrowingText> texts = new HashMap<>();
        return reading((event, out) -> {
            TextDelta delta = event.getTextDelta();
            MessageEvent said = event.getMessage();
            if (event.hasTextDelta()) {
                texts.computeIfAbsent(delta.getMessageId(), id -> new GrowingText()).put(delta.getOffset(), delta.getText(), out::put);
            } else if (said.getMessage().getRole() == Role.ROLE_ASSISTANT) {
                GrowingText text = Objects.requireNonNullElseGet(texts.remove(said.getMessageId()), GrowingText::new);
                text.finish(said.getMessage().getContent(), out::put);
            }
        });
    }

    /** The messages as they become whole: the assistant's, and tools' results. Ends with {@link RunEndedException} if the run did not end well. */
    public Reading<Message> messages() {
        return reading((event, out) -> {
            MessageStream.wholes(event, (id, message) -> out.put(message));
            endIfFailed(event, out);
        });
    }

    /** A stream for each of those messages, as soon as it begins. Ends as {@link #messages} does. */
    public Reading<MessageStream> messageStreams() {
        Set<String> begun = new HashSet<>();
        return reading((event, out) -> {
            String growing = MessageStream.growing(event);
            if (growing != null && begun.add(growing)) { out.put(new MessageStream(this, growing, event)); }
            MessageStream.wholes(event, (id, message) -> {
                boolean isNew = event.hasCompletion() ? begun.isEmpty() : !begun.remove(id);
                if (isNew) { out.put(new MessageStream(this, id, event)); }
            });
            endIfFailed(event, out);
        });
    }

    /** The last message's text, once the run has ended; {@link RunEndedException} if not well. Cancelling it cancels the call. */
    public CompletableFuture<String> text() {
        AtomicReference<String> last = new AtomicReference<>("");
        return this.<String>reading((event, out) -> {
            MessageStream.wholes(event, (id, message) -> {
                if (message.getRole() == Role.ROLE_ASSISTANT && !message.getContent().isEmpty()) { last.set(message.getContent()); }
            });
            endIfFailed(event, out);
            if (event.hasCompletion()) { out.put(last.get()); }
        }).first();
    }

    /** How the run ended, once it has. Cancelling it cancels the call. */
    public CompletableFuture<Completion> result() {
        return this.<Completion>reading((event, out) -> {
            if (event.hasCompletion()) { out.put(event.getCompletion()); }
        }).first();
    }

    /** Asks the run to stop. Returns whether that changed anything, and does not wait for the end. */
    public boolean cancel(String reason) {
        return client.cancel(CancelRequest.newBuilder().setAppName(attach.getAppName()).setRequestId(requestId()).setReason(reason).build()).getChanged();
    }

    CallOptions options() { return deadline == null ? CallOptions.DEFAULT : CallOptions.DEFAULT.withDeadlineAfter(deadline); }

    void noteAccepted() {
        if (request != null && !request.getSessionId().isEmpty()) { session.complete(request.getSessionId()); }
    }

    <T> Reading<T> reading(BiConsumer<Event, Reading<T>> reader) {
        return new Reading<T>().follow(this, (event, out) -> {
            reader.accept(event, out);
            if (event.hasCompletion()) { out.end(null); }
        });
    }

    static void endIfFailed(Event event, Reading<?> out) {
        boolean isFailed = event.hasCompletion() && event.getCompletion().getOutcome() != Outcome.OUTCOME_COMPLETED;
        if (isFailed) { out.end(new RunEndedException(event.getCompletion())); }
    }
}
