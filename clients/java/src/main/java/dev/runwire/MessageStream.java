package dev.runwire;

import dev.runwire.v1.*;
import java.util.concurrent.CompletableFuture;
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

    /** Names the message, a tool's result by its call. Empty for one that comes only with the end of the run. */
    public String messageId() { return messageId; }

    /** The pieces of its text, each once; of a tool, what it writes. They end when the message is whole, or will not be. */
    public Reading<String> pieces() {
        GrowingText text = new GrowingText();
        return reading((event, out) -> {
            TextDelta said = event.getTextDelta();
            ToolOutputDelta written = event.getToolOutputDelta();
            if (messageId.equals(growing(event))) { text.put(said.getOffset() + written.getOffset(), said.getText() + written.getText(), out::put); }
        }, (message, out) -> text.finish(message.getContent(), out::put));
    }

    /** The message when it is whole; {@link RunwireException} if it will not be, because another attempt took its place. */
    public CompletableFuture<Message> message() {
        return this.<Message>reading((event, out) -> { }, (message, out) -> out.put(message)).first();
    }

    private <T> Reading<T> reading(BiConsumer<Event, Reading<T>> growing, BiConsumer<Message, Reading<T>> whole) {
        return run.reading((event, out) -> {
            growing.accept(event, out);
            wholes(event, (id, message) -> {
                if (id.equals(messageId) || id.isEmpty()) {
                    whole.accept(message, out);
                    out.end(null);
                }
            });
            boolean isReplaced = 0 < attempt && attempt < event.getAttempt() && (event.hasTextDelta() || event.hasMessage());
            if (isReplaced) { out.end(null); }
            RunHandle.endIfFailed(event, out);
        });
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

    /** Gives the messages that the event makes whole, with their names. Whoever is spoken to does not answer. */
    static void wholes(Event event, BiConsumer<String, Message> out) {
        Message said = event.hasCompletion() ? event.getCompletion().getMessage() : event.getMessage().getMessage();
        boolean isThere = event.hasMessage() || event.hasCompletion() && event.getCompletion().hasMessage();
        if (isThere && said.getRole() != Role.ROLE_USER && said.getRole() != Role.ROLE_SYSTEM) {
            out.accept(event.getMessage().getMessageId(), said);
        }
        for (ToolResult result : event.getToolResults().getResultsList()) {
            out.accept(result.getToolCallId(), Message.newBuilder().setRole(Role.ROLE_TOOL).setContent(result.getContent())
                    .setToolCallId(result.getToolCallId()).setToolName(result.getToolName()).build());
        }
    }
}
