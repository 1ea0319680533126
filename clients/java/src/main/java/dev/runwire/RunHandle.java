package dev.runwire;

import dev.runwire.v1.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.CompletableFuture;
import java.util.function.*;
import java.util.stream.Stream;

/** One run, which begins when it is first read; by many, and again: each reading begins with the first event. */
public final class RunHandle {
    final RunwireClient client;
    final RunRequest request; // null: it only attaches
    final AttachRequest attach;
    final Duration deadline;
    final CompletableFuture<String> session = new CompletableFuture<>(); // its id, once the server has the run
    CompletableFuture<?> begun = session; // what a conversation does then is done

    RunHandle(RunwireClient client, RunRequest request, AttachRequest attach, Duration deadline) {
        this.client = client;
        this.request = request;
        this.attach = attach;
        this.deadline = deadline;
    }

    /** Names the run. */
    public String requestId() { return attach.getRequestId(); }
    String sessionId() { return request == null ? "" : request.getSessionId(); }

    /** Its events, to its completion, however it ended: durable ones each once, in order. */
    public Reading<Event> events() { return reading(false, (event, out) -> out.put(event)); }

    /** The assistant's text piece by piece, each once, whatever the connection did. */
    public Reading<String> deltas() {
        Map<String, Shown> texts = new HashMap<>();
        return reading(false, (event, out) -> Saying.of(event).filter(it -> event.hasTextDelta() || event.hasMessage())
                .flatMap(it -> texts.computeIfAbsent(it.id, id -> new Shown()).add(it)).forEach(out::put));
    }

    /** The assistant's messages and tools' results, when they are whole. Throws RunEnded if the run ends badly. */
    public Reading<Message> messages() {
        return reading(true, (event, out) -> Saying.of(event).flatMap(Saying::wholes).forEach(out::put));
    }

    /** A stream for each of those messages, as soon as it begins. Throws RunEnded if the run ends badly. */
    public Reading<MessageStream> messageStreams() {
        Set<String> known = new HashSet<>();
        return reading(true, (event, out) -> Saying.of(event).filter(it -> known.add(it.id))
                .forEach(it -> out.put(new MessageStream(it.id, event))));
    }

    /** The last message's text, at the end. Throws RunEnded if that is bad. Cancelling cancels the call. */
    public CompletableFuture<String> text() {
        String[] last = {""};
        return this.<String>reading(true, (event, out) -> {
            Message said = event.hasCompletion() ? event.getCompletion().getMessage() : event.getMessage().getMessage();
            boolean isAnswer = event.hasCompletion() || said.getRole() == Role.ROLE_ASSISTANT; // it has a tool's
            if (isAnswer && !said.getContent().isEmpty()) { last[0] = said.getContent(); }
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
        CancelRequest ask = CancelRequest.newBuilder().setAppName(attach.getAppName()).setRequestId(requestId())
                .setReason(why).build();
        return RunwireClient.call(() -> RunnerServiceGrpc.newBlockingStub(client.connection).cancel(ask).getChanged());
    }

    private <T> Reading<T> reading(boolean isRaising, BiConsumer<Event, Reading<T>> reader) {
        return new Reading<T>().follow(this, (event, out) -> {
            Completion end = event.getCompletion();
            boolean isBad = isRaising && end.getOutcome() != Outcome.OUTCOME_COMPLETED;
            reader.accept(event, out);
            if (event.hasCompletion()) { out.end(isBad ? new RunwireException.RunEnded(end) : null); }
        });
    }

    /** One message of the run, to be read at any time, again, and by many: each reading follows the run from there. */
    public final class MessageStream {
        private final String messageId;
        private final RunHandle rest;

        private MessageStream(String messageId, Event first) {
            this.messageId = messageId;
            long before = first.getSequence() - (first.getPartial() ? 0 : 1); // partial: it has the one before's
            rest = client.attach(attach.toBuilder().setAfterSequence(before).build());
        }

        /** Names the message, a tool's result by its call. */
        public String messageId() { return messageId; }
        /** The pieces of its text, each once; of a tool, what it writes. */
        public Reading<String> pieces() { return reading(new Shown()::add); }
        /** The message when it is whole; a RunwireException if it never is. Cancelling cancels the call. */
        public CompletableFuture<Message> message() { return reading(Saying::wholes).first(); }

        private <T> Reading<T> reading(Function<Saying, Stream<T>> items) {
            return rest.reading(true, (event, out) ->
                    Saying.of(event).filter(it -> it.id.equals(messageId)).forEach(it -> {
                        items.apply(it).forEach(out::put);
                        if (it.whole != null) { out.end(null); }
                    }));
        }
    }

    /** What an event says of a message, or of a tool's result: a piece of its text, or the whole. */
    record Saying(String id, long offset, String text, Message whole) {
        Stream<Message> wholes() { return Stream.ofNullable(whole); }

        static Stream<Saying> of(Event event) {
            TextDelta text = event.getTextDelta();
            ToolOutputDelta tool = event.getToolOutputDelta();
            return switch (event.getPayloadCase()) {
                case TEXT_DELTA -> Stream.of(new Saying(text.getMessageId(), text.getOffset(), text.getText(), null));
                case TOOL_OUTPUT_DELTA ->
                    Stream.of(new Saying(tool.getToolCallId(), tool.getOffset(), tool.getText(), null));
                case REASONING_DELTA -> Stream.of(new Saying(event.getReasoningDelta().getMessageId(), 0, "", null));
                case TOOL_CALL_DELTA -> Stream.of(new Saying(event.getToolCallDelta().getMessageId(), 0, "", null));
                case MESSAGE -> whole(event.getMessage().getMessageId(), event.getMessage().getMessage());
                case TOOL_RESULTS -> event.getToolResults().getResultsList().stream().flatMap(it ->
                    whole(it.getToolCallId(), Message.newBuilder().setRole(Role.ROLE_TOOL).setContent(it.getContent())
                            .setToolCallId(it.getToolCallId()).setToolName(it.getToolName()).build()));
                default -> Stream.of();
            };
        }

        private static Stream<Saying> whole(String id, Message whole) {
            boolean isAnswer = whole.getRole() == Role.ROLE_ASSISTANT || whole.getRole() == Role.ROLE_TOOL;
            return isAnswer ? Stream.of(new Saying(id, 0, whole.getContent(), whole)) : Stream.of();
        }
    }

    /** What was shown of a text that comes in pieces, some of them twice. Offsets count code points, not chars. */
    static final class Shown {
        private final StringBuilder shown = new StringBuilder();
        private long length;

        /** What is new. A piece beyond a gap waits for the whole; a whole that does not begin so is not shown. */
        Stream<String> add(Saying it) {
            boolean fits = it.whole == null ? it.offset <= length : it.text.startsWith(shown.toString());
            long end = it.offset + it.text.codePointCount(0, it.text.length());
            if (!fits || end <= length) { return Stream.of(); }
            String fresh = it.text.substring(it.text.offsetByCodePoints(0, (int) (length - it.offset)));
            shown.append(fresh);
            length = end;
            return Stream.of(fresh);
        }
    }
}
