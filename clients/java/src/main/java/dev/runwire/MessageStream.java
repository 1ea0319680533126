package dev.runwire;

import dev.runwire.v1.Event;
import dev.runwire.v1.Message;
import dev.runwire.v1.Role;
import dev.runwire.v1.ToolResult;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;

/** One message of a run, to be read at any time, again, and by many: each reading follows the run from where it begins. */
public final class MessageStream {
    private final RunHandle run;
    private final String messageId;
    private final int attempt;

    MessageStream(RunHandle run, String messageId, Event first) {
        // A partial event has the sequence of the event before it.
        long before = first.getSequence() - (first.getPartial() ? 0 : 1);
        this.run = new RunHandle(run.client, null, run.attach.toBuilder().setAfterSequence(before).build(), null);
        this.messageId = messageId;
        attempt = first.getAttempt();
    }

    /** Names the message: a tool's result by its call. Empty for one that comes only with the end of the run. */
    public String messageId() { return messageId; }

    /** The pieces of its text, each once; of a tool, what it writes. They end when the message is whole, or will not be. */
    public Reading<String> pieces() {
        return run.reading(() -> {
            GrowingText text = new GrowingText();
            return (event, out) -> {
                AtomicBoolean isWhole = new AtomicBoolean();
                if (event.hasTextDelta() && isThis(event.getTextDelta().getMessageId())) {
                    text.put(event.getTextDelta().getOffset(), event.getTextDelta().getText(), out);
                } else if (event.hasToolOutputDelta() && isThis(event.getToolOutputDelta().getToolCallId())) {
                    text.put(event.getToolOutputDelta().getOffset(), event.getToolOutputDelta().getText(), out);
                }
                wholes(event, (id, message) -> {
                    if (isThis(id)) {
                        isWhole.set(true);
                        text.finish(message.getContent(), out);
                    }
                });
                return !isWhole.get() && goesOn(event);
            };
        });
    }

    /** The message when it is whole. A {@link RunwireException} when it will not be: another attempt took its place. */
    public CompletableFuture<Message> message() {
        return run.<Message>reading(() -> (event, out) -> {
            wholes(event, (id, message) -> {
                if (isThis(id)) {
                    out.accept(message);
                }
            });
            return goesOn(event);
        }).first();
    }

    private boolean isThis(String id) { return id.equals(messageId) || id.isEmpty(); }

    private boolean goesOn(Event event) {
        boolean isReplaced = 0 < attempt && attempt < event.getAttempt() && (event.hasTextDelta() || event.hasMessage());
        return RunHandle.goesOn(event) && !isReplaced;
    }

    /** The message that the event is a piece of, or null. */
    static String growing(Event event) {
        return switch (event.getPayloadCase()) {
            case TEXT_DELTA -> event.getTextDelta().getMessageId();
            case REASONING_DELTA -> event.getReasoningDelta().getMessageId();
            case TOOL_CALL_DELTA -> event.getToolCallDelta().getMessageId();
            case TOOL_OUTPUT_DELTA -> event.getToolOutputDelta().getToolCallId();
            default -> null;
        };
    }

    /** Gives the messages that the event makes whole, and their names. Whoever is spoken to does not answer. */
    static void wholes(Event event, BiConsumer<String, Message> out) {
        Message said = event.hasCompletion() ? event.getCompletion().getMessage() : event.getMessage().getMessage();
        boolean isSaid = event.hasCompletion() ? event.getCompletion().hasMessage() : event.hasMessage();
        if (isSaid && said.getRole() != Role.ROLE_USER && said.getRole() != Role.ROLE_SYSTEM) {
            out.accept(event.getMessage().getMessageId(), said);
        }
        for (ToolResult result : event.getToolResults().getResultsList()) {
            out.accept(result.getToolCallId(), Message.newBuilder().setRole(Role.ROLE_TOOL).setContent(result.getContent())
                    .setToolCallId(result.getToolCallId()).setToolName(result.getToolName()).build());
        }
    }
}
