package dev.runwire;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * Something to read: iterate it, or subscribe to it. Each time it is read from its first item, by a stream of its own, which
 * stands still while nobody takes what came: a slow reader costs no memory. Use it in try-with-resources, or read to the end.
 */
public final class Reading<T> implements Iterable<T>, Flow.Publisher<T>, AutoCloseable {
    private final Supplier<Source<T>> opener;
    private final Queue<Source<T>> open = new ConcurrentLinkedQueue<>();

    Reading(Supplier<Source<T>> opener) { this.opener = opener; }

    /** Of a source that is open already. */
    Reading(Source<T> source) {
        this(() -> source);
        open.add(source);
    }

    /**
     * Begins to read at once. Taking an item waits for it, and throws {@link RunwireException}; or CancellationException when
     * the reading is closed, or the thread interrupted, meanwhile.
     */
    @Override public Iterator<T> iterator() { return new Cursor<>(begin()); }

    /** Begins to read at once. What onNext does holds up this reader alone. */
    @Override public void subscribe(Flow.Subscriber<? super T> subscriber) { new Feed<T>(begin(), subscriber).start(); }

    /** Ends all reading that was begun through this object, and cancels its calls. That does not cancel a run. */
    @Override public void close() { open.forEach(Source::cancel); }

    /** The first item. Cancelling the future cancels the call. */
    CompletableFuture<T> first() {
        CompletableFuture<T> found = new CompletableFuture<>();
        Source<T> source = opener.get();
        found.whenComplete((item, error) -> source.cancel());
        source.next().whenComplete((item, error) -> {
            if (item != null) {
                found.complete(item);
            } else {
                found.completeExceptionally(error != null ? error : new RunwireException("it ended before that came", null));
            }
        });
        return found;
    }

    Source<T> source() { return opener.get(); }

    private Source<T> begin() {
        open.removeIf(Source::isOver);
        Source<T> source = opener.get();
        open.add(source);
        return source;
    }

    private static final class Cursor<T> implements Iterator<T> {
        private final Source<T> source;
        private CompletableFuture<T> coming;

        Cursor(Source<T> source) { this.source = source; }

        @Override public boolean hasNext() {
            coming = coming == null ? source.next() : coming;
            try {
                return coming.get() != null;
            } catch (ExecutionException error) {
                throw (RuntimeException) error.getCause();
            } catch (InterruptedException error) {
                source.cancel();
                Thread.currentThread().interrupt();
                throw new CancellationException("interrupted");
            }
        }

        @Override public T next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            T item = coming.join();
            coming = null;
            return item;
        }
    }

    private record Feed<T>(Source<T> source, Flow.Subscriber<? super T> subscriber, AtomicLong demand) implements Flow.Subscription {
        Feed(Source<T> source, Flow.Subscriber<? super T> subscriber) { this(source, subscriber, new AtomicLong()); }

        void start() { subscriber.onSubscribe(this); }

        @Override public void request(long n) {
            if (n <= 0) {
                source.end(new IllegalArgumentException("request of " + n));
            }
            if (demand.getAndAccumulate(Math.max(n, 1), (a, b) -> a + b < 0 ? Long.MAX_VALUE : a + b) == 0) {
                feed();
            }
        }

        @Override public void cancel() { source.cancel(); }

        private void feed() {
            source.next().whenComplete((item, error) -> {
                if (item != null) {
                    subscriber.onNext(item);
                    if (demand.decrementAndGet() > 0) {
                        feed();
                    }
                } else if (error == null) {
                    subscriber.onComplete();
                } else if (!(error instanceof CancellationException)) {
                    subscriber.onError(error);
                }
            });
        }
    }
}
