package dev.runwire;

import dev.runwire.v1.*;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** What an event says of a message, or of a tool's result: a piece of its text, or the whole. */
record Saying(String id, Role role, long offset, String text, Message whole) {
    boolean isWhole() { return whole != null; }

    boolean isText() { return role == Role.ROLE_ASSISTANT && !text.isEmpty(); }

    static Stream<Saying> of(Event event) {
        TextDelta text = event.getTextDelta();
        ToolOutputDelta output = event.getToolOutputDelta();
        return switch (event.getPayloadCase()) {
            case TEXT_DELTA -> Stream.of(new Saying(text.getMessageId(), Role.ROLE_ASSISTANT, text.getOffset(), text.getText(), null));
            case REASONING_DELTA -> Stream.of(new Saying(event.getReasoningDelta().getMessageId(), Role.ROLE_ASSISTANT, 0, "", null));
            case TOOL_CALL_DELTA -> Stream.of(new Saying(event.getToolCallDelta().getMessageId(), Role.ROLE_ASSISTANT, 0, "", null));
            case TOOL_OUTPUT_DELTA -> Stream.of(new Saying(output.getToolCallId(), Role.ROLE_TOOL, output.getOffset(), output.getText(), null));
            case MESSAGE -> Stream.of(whole(event.getMessage().getMessageId(), event.getMessage().getMessage())).filter(Saying::isAnswer);
            case COMPLETION -> Stream.of(whole("", event.getCompletion().getMessage())).filter(said -> event.getCompletion().hasMessage() && said.isAnswer());
            case TOOL_RESULTS -> event.getToolResults().getResultsList().stream().map(result -> whole(result.getToolCallId(),
                    Message.newBuilder().setRole(Role.ROLE_TOOL).setContent(result.getContent())
                            .setToolCallId(result.getToolCallId()).setToolName(result.getToolName()).build()));
            default -> Stream.of();
        };
    }

    private static Saying whole(String id, Message message) { return new Saying(id, message.getRole(), 0, message.getContent(), message); }

    /** Whoever is spoken to does not answer. */
    private boolean isAnswer() { return role != Role.ROLE_USER && role != Role.ROLE_SYSTEM; }

    /** What was shown of a text that comes in pieces, some of them twice. Offsets count code points, not chars. */
    static final class Shown {
        private final StringBuilder shown = new StringBuilder();
        private long length;

        /** A piece beyond a gap waits for the whole; a whole that is not what was shown, and more, is not shown. */
        void add(Saying saying, Consumer<String> show) {
            boolean fits = saying.isWhole() ? saying.text.startsWith(shown.toString()) : saying.offset <= length;
            long end = saying.offset + saying.text.codePointCount(0, saying.text.length());
            if (fits && end > length) {
                String fresh = saying.text.substring(saying.text.offsetByCodePoints(0, (int) (length - saying.offset)));
                shown.append(fresh);
                length = end;
                show.accept(fresh);
            }
        }
    }
}
