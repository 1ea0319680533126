package dev.runwire;

import dev.runwire.v1.*;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;

/** One message of a run, to be read at any time, again, and by many: each reading follows the run from where it begins. */
public final class MessageStream {
    private final RunHandle run;
    private final String messageId;

    MessageStream(RunHandle run, String messageId, Event first) {
        long before = first.getSequence() - (first.getPartial() ? 0 : 1); // a partial event has that of the one before it
        this.run = new RunHandle(run.client, null, run.attach.toBuilder().setAfterSequence(before).build(), null);
        this.messageId = messageId;
    }

    /** Names the message, a tool's result by its call. Empty for one that comes only with the end of the run. */
    public String messageId() { return messageId; }

    /** The pieces of its text, each once; of a tool, what it writes. */
    public Reading<String> pieces() {
        Saying.Shown shown = new Saying.Shown();
        return reading((saying, out) -> shown.add(saying, out::put));
    }

    /** The message when it is whole; {@link RunwireException} if it never is. Cancelling cancels the call. */
    public CompletableFuture<Message> message() {
        return this.<Message>reading((saying, out) -> { if (saying.isWhole()) { out.put(saying.whole()); } }).first();
    }

    private <T> Reading<T> reading(BiConsumer<Saying, Reading<T>> reader) {
        return run.reading(true, (event, out) -> Saying.of(event)
                .filter(saying -> saying.id().equals(messageId) || saying.id().isEmpty()).forEach(saying -> {
                    reader.accept(saying, out);
                    if (saying.isWhole()) { out.end(null); }
                }));
    }
}
