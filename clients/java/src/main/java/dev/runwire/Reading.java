package dev.runwire;

import dev.runwire.v1.Event;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;

/**
 * Something to read, once: iterate it, or give it one subscriber. Nothing is taken off the wire before it is asked for, so
 * a slow reader costs no memory. Read it to its end, or close it, which ends waits and cancels the call, but not the run.
 */
public final class Reading<T> implements Iterable<T>, Iterator<T>, Flow.Publisher<T>, AutoCloseable {
    final Set<Following<T>> followings = ConcurrentHashMap.newKeySet();
    private final Queue<T> pending = new ArrayDeque<>();
    private final CompletableFuture<T> ending = new CompletableFuture<>();
    private CompletableFuture<T> wanted;
    private CompletableFuture<T> coming;

    @Override public Iterator<T> iterator() { return this; }

    /** Waits. Throws {@link RunwireException}; CancellationException when the thread is interrupted or this is closed. */
    @Override public boolean hasNext() {
        try {
            coming = coming == null ? ask() : coming;
            return coming.get() != null;
        } catch (ExecutionException error) {
            throw (RuntimeException) error.getCause();
        } catch (InterruptedException error) {
            close();
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted");
        }
    }

    @Override public T next() {
        if (!hasNext()) { throw new NoSuchElementException(); }
        T item = coming.join();
        coming = null;
        return item;
    }

    @Override public void subscribe(Flow.Subscriber<? super T> subscriber) {
        AtomicLong demand = new AtomicLong();
        subscriber.onSubscribe(new Flow.Subscription() {
            @Override public void request(long n) {
                if (n <= 0) { end(new IllegalArgumentException("request of " + n)); }
                long before = demand.getAndAccumulate(Math.max(n, 1), (a, b) -> a + b < 0 ? Long.MAX_VALUE : a + b);
                if (before == 0) { feed(subscriber, demand); }
            }

            @Override public void cancel() { close(); }
        });
    }

    @Override public void close() {
        end(new CancellationException("the reading was closed"));
        followings.forEach(Following::hangUp);
    }

    /** The first item; cancelling the future closes this. */
    CompletableFuture<T> first() {
        CompletableFuture<T> first = new CompletableFuture<>();
        first.whenComplete((item, error) -> close());
        ask().whenComplete((item, error) -> {
            Throwable why = error != null || item != null ? error : new RunwireException("it ended before that came", null);
            boolean isDone = why == null ? first.complete(item) : first.completeExceptionally(why);
        });
        return first;
    }

    /** Follows a run for this: whenever an item is wanted, it is asked for an event. */
    Reading<T> follow(RunHandle run, BiConsumer<Event, Reading<T>> reader) {
        Following<T> following = new Following<>(run, reader, this);
        followings.add(following);
        following.open();
        if (isOver()) { following.hangUp(); }
        return this;
    }

    synchronized void put(T item) { pending.add(item); }

    /** After what is pending comes this error, or the end when it is null. Only the first call counts. */
    void end(RuntimeException error) {
        if (error == null ? ending.complete(null) : ending.completeExceptionally(error)) { settle(); }
    }

    boolean isOver() { return ending.isDone(); }

    /** Gives what is there to who waits, or has it fetched. Not under the lock: what comes of it is the caller's code. */
    void settle() {
        CompletableFuture<T> asked;
        T item;
        synchronized (this) {
            asked = wanted;
            item = asked == null || ending.isCancelled() ? null : pending.poll();
            wanted = item == null && !isOver() ? asked : null;
        }
        if (item != null) {
            asked.complete(item);
        } else if (asked != null && isOver()) {
            ending.handle((end, error) -> error == null ? asked.complete(null) : asked.completeExceptionally(error));
        } else if (asked != null) {
            followings.forEach(Following::pull);
        }
    }

    private CompletableFuture<T> ask() {
        CompletableFuture<T> asked = new CompletableFuture<>();
        synchronized (this) { wanted = asked; }
        settle();
        return asked;
    }

    private void feed(Flow.Subscriber<? super T> subscriber, AtomicLong demand) {
        ask().whenComplete((item, error) -> {
            if (item != null) {
                subscriber.onNext(item);
                if (demand.decrementAndGet() > 0) { feed(subscriber, demand); }
            } else if (error == null) {
                subscriber.onComplete();
            } else if (!ending.isCancelled()) {
                subscriber.onError(error);
            }
        });
    }
}
