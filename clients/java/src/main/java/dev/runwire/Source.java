package dev.runwire;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;

/** Items that come when they are asked for, one at a time. It has no thread: who brings an item completes the future. */
abstract class Source<T> {
    private final Queue<T> pending = new ArrayDeque<>();
    private final CompletableFuture<T> ending = new CompletableFuture<>();
    private CompletableFuture<T> wanted;

    /** Somebody waits, and nothing is pending. Called again, it changes nothing. */
    abstract void pull();

    /** Ends it at once: who waits, or asks later, gets a CancellationException. */
    void cancel() { end(new CancellationException("the reading was closed")); }

    /** The next item, or null at the end. Not to be called before the one before is done. */
    final CompletableFuture<T> next() {
        CompletableFuture<T> asked = new CompletableFuture<>();
        synchronized (this) { wanted = asked; }
        settle();
        return asked;
    }

    final void put(T item) {
        synchronized (this) { pending.add(item); }
        settle();
    }

    /** After what is pending comes this error, or the end when it is null. Only the first call counts. */
    final void end(RuntimeException error) {
        if (error == null ? ending.complete(null) : ending.completeExceptionally(error)) {
            settle();
        }
    }

    final boolean isOver() { return ending.isDone(); }

    /** Gives what is there to who waits, not under the lock: what depends on it is the caller's code. */
    final void settle() {
        CompletableFuture<T> asked;
        T item;
        synchronized (this) {
            asked = wanted;
            item = asked == null || ending.isCancelled() ? null : pending.poll();
            wanted = item == null && !isOver() ? asked : null;
        }
        if (asked != null && item != null) {
            asked.complete(item);
        } else if (asked != null && isOver()) {
            ending.whenComplete((none, error) -> { if (error == null) asked.complete(null); else asked.completeExceptionally(error); });
        } else if (asked != null) {
            pull();
        }
    }
}
