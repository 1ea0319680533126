package dev.runwire;

import dev.runwire.v1.*;
import java.util.concurrent.CompletableFuture;
import java.util.function.*;
import java.util.stream.Stream;

/** One message of a run, to be read at any time, again, and by many: each reading follows the run from where it began. */
public final class MessageStream {
    private final RunHandle run;
    private final String messageId;

    MessageStream(RunHandle run, String messageId, Event first) {
        // A partial event has the sequence of the event before it.
        long before = first.getSequence() - (first.getPartial() ? 0 : 1);
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
        return run.reading(true, (event, out) -> Saying.of(event)
                .filter(saying -> saying.id.equals(messageId) || saying.id.isEmpty()).forEach(saying -> {
                    reader.accept(saying, out);
                    if (saying.isWhole()) { out.end(null); }
                }));
    }

    /** What an event says of a message, or of a tool's result: a piece of its text, or the whole. */
    record Saying(String id, Role role, long offset, String text, Message whole) {
        private Saying(String id, Role role, long offset, String text) { this(id, role, offset, text, null); }

        private Saying(String id, Message whole) { this(id, whole.getRole(), 0, whole.getContent(), whole); }

        boolean isWhole() { return whole != null; }

        boolean isText() { return role == Role.ROLE_ASSISTANT && !text.isEmpty(); }

        /** What users and systems say is no answer. */
        static Stream<Saying> of(Event event) {
            TextDelta text = event.getTextDelta();
            ToolOutputDelta output = event.getToolOutputDelta();
            Completion end = event.getCompletion();
            Stream<Saying> sayings = switch (event.getPayloadCase()) {
                case TEXT_DELTA -> Stream.of(new Saying(text.getMessageId(), Role.ROLE_ASSISTANT, text.getOffset(), text.getText()));
                case REASONING_DELTA -> Stream.of(new Saying(event.getReasoningDelta().getMessageId(), Role.ROLE_ASSISTANT, 0, ""));
                case TOOL_CALL_DELTA -> Stream.of(new Saying(event.getToolCallDelta().getMessageId(), Role.ROLE_ASSISTANT, 0, ""));
                case TOOL_OUTPUT_DELTA ->
                    Stream.of(new Saying(output.getToolCallId(), Role.ROLE_TOOL, output.getOffset(), output.getText()));
                case MESSAGE -> Stream.of(new Saying(event.getMessage().getMessageId(), event.getMessage().getMessage()));
                case COMPLETION -> end.hasMessage() ? Stream.of(new Saying("", end.getMessage())) : Stream.of();
                case TOOL_RESULTS -> event.getToolResults().getResultsList().stream().map(Saying::result);
                default -> Stream.of();
            };
            return sayings.filter(saying -> saying.role != Role.ROLE_USER && saying.role != Role.ROLE_SYSTEM);
        }

        private static Saying result(ToolResult result) {
            return new Saying(result.getToolCallId(), Message.newBuilder().setRole(Role.ROLE_TOOL)
                    .setContent(result.getContent()).setToolCallId(result.getToolCallId()).setToolName(result.getToolName()).build());
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
