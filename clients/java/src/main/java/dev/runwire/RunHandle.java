package dev.runwire;

import dev.runwire.v1.AttachRequest;
import dev.runwire.v1.CancelRequest;
import dev.runwire.v1.Completion;
import dev.runwire.v1.Event;
import dev.runwire.v1.Message;
import dev.runwire.v1.Outcome;
import dev.runwire.v1.Role;
import dev.runwire.v1.RunRequest;
import io.grpc.CallOptions;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * One run. It begins when it is first read; each reading, by any number at the same time, is a stream of its own from the first
 * event on. All methods that read end with {@link CallException} when the call is refused or the server cannot be reached.
 */
public final class RunHandle {
    final RunwireClient client;
    final RunRequest request;
    final AttachRequest attach;
    // The session's id, once the server has the run and has said which session it is for.
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

    /** Its events, each once and in order, to its completion, however it ended; only partial ones may come again. */
    public Reading<Event> events() {
        return reading(() -> (event, out) -> {
            out.accept(event);
            return true;
        });
    }

    /** The assistant's text piece by piece, each once, whatever the connection did. */
    public Reading<String> deltas() {
        return reading(() -> {
            Map<String, GrowingText> texts = new HashMap<>();
            return (event, out) -> {
                Message said = event.getMessage().getMessage();
                if (event.hasTextDelta()) {
                    texts.computeIfAbsent(event.getTextDelta().getMessageId(), id -> new GrowingText())
                            .put(event.getTextDelta().getOffset(), event.getTextDelta().getText(), out);
                } else if (said.getRole() == Role.ROLE_ASSISTANT) {
                    texts.computeIfAbsent(event.getMessage().getMessageId(), id -> new GrowingText()).finish(said.getContent(), out);
                    texts.remove(event.getMessage().getMessageId());
                }
                return true;
            };
        });
    }

    /** The messages as they become whole: the assistant's, and results of tools. A {@link RunEndedException} may end it. */
    public Reading<Message> messages() {
        return reading(() -> (event, out) -> {
            MessageStream.wholes(event, (id, message) -> out.accept(message));
            return goesOn(event);
        });
    }

    /** A stream for each of those messages, as soon as its first piece is there. A {@link RunEndedException} may end it. */
    public Reading<MessageStream> messageStreams() {
        return reading(() -> {
            Set<String> begun = new HashSet<>();
            return (event, out) -> {
                Consumer<String> begin = id -> {
                    if (begun.add(id)) {
                        out.accept(new MessageStream(this, id, event));
                    }
                };
                if (MessageStream.growing(event) != null) {
                    begin.accept(MessageStream.growing(event));
                }
                MessageStream.wholes(event, (id, message) -> {
                    if (!event.hasCompletion() || begun.isEmpty()) {
                        begin.accept(id);
                    }
                    begun.remove(id);
                });
                return goesOn(event);
            };
        });
    }

    /** The text of the last message, when the run has ended; a {@link RunEndedException} when not well. */
    public CompletableFuture<String> text() {
        AtomicReference<String> last = new AtomicReference<>("");
        return this.<String>reading(() -> (event, out) -> {
            Message said = event.hasCompletion() ? event.getCompletion().getMessage() : event.getMessage().getMessage();
            if (!said.getContent().isEmpty() && (event.hasCompletion() || said.getRole() == Role.ROLE_ASSISTANT)) {
                last.set(said.getContent());
            }
            if (goesOn(event) && event.hasCompletion()) {
                out.accept(last.get());
            }
            return true;
        }).first();
    }

    /** How the run ended, when it has. */
    public CompletableFuture<Completion> result() {
        return this.<Completion>reading(() -> (event, out) -> {
            if (event.hasCompletion()) {
                out.accept(event.getCompletion());
            }
            return true;
        }).first();
    }

    /** Asks the run to stop, and says whether that changed anything. Waits for the answer of the server, not for the end. */
    public boolean cancel(String reason) {
        return client.cancel(CancelRequest.newBuilder().setAppName(attach.getAppName()).setRequestId(requestId()).setReason(reason).build())
                .getChanged();
    }

    void noteAccepted() {
        if (request != null && !request.getSessionId().isEmpty()) {
            session.complete(request.getSessionId());
        }
    }

    CallOptions options() { return deadline == null ? CallOptions.DEFAULT : CallOptions.DEFAULT.withDeadlineAfter(deadline); }

    <T> Reading<T> reading(Supplier<BiPredicate<Event, Consumer<T>>> reader) {
        return new Reading<>(() -> new Following<>(this, reader.get()));
    }

    static boolean goesOn(Event event) {
        if (event.hasCompletion() && event.getCompletion().getOutcome() != Outcome.OUTCOME_COMPLETED) {
            throw new RunEndedException(event.getCompletion());
        }
        return true;
    }
}
