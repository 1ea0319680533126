package dev.runwire;

import dev.runwire.v1.*;
import java.util.concurrent.CompletableFuture;
import java.util.function.*;
import java.util.stream.Stream;

/** One message of a run, to be read at any time, again, and by many: each reading follows the run from there. */
public final class MessageStream {
    private final RunHandle run;
    private final String messageId;

    MessageStream(RunHandle run, String messageId, Event first) {
        long before = first.getSequence() - (first.getPartial() ? 0 : 1); // a partial one has that of the event before
        this.run = new RunHandle(run.client, null, run.attach.toBuilder().setAfterSequence(before).build(), null);
        this.messageId = messageId;
    }

    /** Names the message, a tool's result by its call. Empty for one that comes only with the end of the run. */
    public String messageId() { return messageId; }

    /** The pieces of its text, each once; of a tool, what it writes. */
    public Reading<String> pieces() {
        Shown shown = new Shown();
        return reading((saying, out) -> shown.add(saying, out::put));
    }

    /** The message when it is whole; NoSuchElementException if it never is. Cancelling cancels the call. */
    public CompletableFuture<Message> message() {
        return this.<Message>reading((saying, out) -> { if (saying.isWhole()) { out.put(saying.whole); } }).first();
    }

    private <T> Reading<T> reading(BiConsumer<Saying, Reading<T>> reader) {
        return run.reading(true, (event, out) ->
                Saying.of(event).filter(it -> it.id.equals(messageId) || it.id.isEmpty()).forEach(it -> {
                    reader.accept(it, out);
                    if (it.isWhole()) { out.end(null); }
                }));
    }

    /** What an event says of a message, or of a tool's result: a piece of its text, or the whole. */
    record Saying(String id, Role role, long offset, String text, Message whole) {
        boolean isWhole() { return whole != null; }
        boolean isText() { return role == Role.ROLE_ASSISTANT && !text.isEmpty(); }

        static Stream<Saying> of(Event event) {
            TextDelta text = event.getTextDelta();
            ToolOutputDelta output = event.getToolOutputDelta();
            Completion end = event.getCompletion();
            return switch (event.getPayloadCase()) {
                case TEXT_DELTA -> piece(text.getMessageId(), Role.ROLE_ASSISTANT, text.getOffset(), text.getText());
                case TOOL_OUTPUT_DELTA ->
                    piece(output.getToolCallId(), Role.ROLE_TOOL, output.getOffset(), output.getText());
                case REASONING_DELTA -> piece(event.getReasoningDelta().getMessageId(), Role.ROLE_ASSISTANT, 0, "");
                case TOOL_CALL_DELTA -> piece(event.getToolCallDelta().getMessageId(), Role.ROLE_ASSISTANT, 0, "");
                case MESSAGE -> whole(event.getMessage().getMessageId(), event.getMessage().getMessage());
                case COMPLETION -> end.hasMessage() ? whole("", end.getMessage()) : Stream.of();
                case TOOL_RESULTS -> event.getToolResults().getResultsList().stream().flatMap(it ->
                    whole(it.getToolCallId(), Message.newBuilder().setRole(Role.ROLE_TOOL).setContent(it.getContent())
                            .setToolCallId(it.getToolCallId()).setToolName(it.getToolName()).build()));
                default -> Stream.of();
            };
        }

        private static Stream<Saying> piece(String id, Role role, long offset, String text) {
            return Stream.of(new Saying(id, role, offset, text, null));
        }

        /** What users and systems say is no answer. */
        private static Stream<Saying> whole(String id, Message whole) {
            return Stream.of(new Saying(id, whole.getRole(), 0, whole.getContent(), whole))
                    .filter(it -> it.role != Role.ROLE_USER && it.role != Role.ROLE_SYSTEM);
        }
    }

    /** What was shown of a text that comes in pieces, some of them twice. Offsets count code points, not chars. */
    static final class Shown {
        private final StringBuilder shown = new StringBuilder();
        private long length;

        /** A piece beyond a gap waits for the whole; a whole that is not what was shown, and more, is not shown. */
        void add(Saying saying, Consumer<String> show) {
            boolean fits = saying.isWhole() ? saying.text.startsWith(shown.toString()) : saying.offset <= length;
            long end = saying.offset + saying.text.codePointCount(0, saying.text.length());
            if (!fits || end <= length) { return; }
            String fresh = saying.text.substring(saying.text.offsetByCodePoints(0, (int) (length - saying.offset)));
            shown.append(fresh);
            length = end;
            show.accept(fresh);
        }
    }
}
