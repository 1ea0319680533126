package dev.runwire;

import dev.runwire.v1.Event;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.function.BiConsumer;

/**
 * Something to read, once: iterate it, or give it one subscriber. Nothing is taken off the wire before it is asked for: a
 * slow reader costs no memory. Read it to its end, or close it: that ends waits, and cancels the call, but not the run.
 */
public final class Reading<T> implements Iterable<T>, Iterator<T>, Flow.Publisher<T>, AutoCloseable {
    private record Node<T>(T item, CompletableFuture<Node<T>> next) { }

    final Set<Following<T>> followings = ConcurrentHashMap.newKeySet();
    volatile boolean isOver;
    volatile boolean isWanted;
    // A chain: each future brings an item and the future of what comes after it; null is the end.
    private volatile CompletableFuture<Node<T>> head = new CompletableFuture<>();
    private final AtomicReference<CompletableFuture<Node<T>>> tail = new AtomicReference<>(head);

    @Override public Iterator<T> iterator() { return this; }

    /** Waits. Throws {@link RunwireException}, or CancellationException when this is closed or the thread interrupted. */
    @Override public boolean hasNext() {
        try {
            return ask().get() != null;
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
        Node<T> node = head.join();
        head = node.next;
        return node.item;
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
        CompletableFuture<T> first = ask().thenApply(node -> {
            if (node == null) { throw new NoSuchElementException("it ended before that came"); }
            return node.item;
        });
        first.whenComplete((item, error) -> close());
        return first;
    }

    /** Reads a run, beside what is read already. The reader puts here what it finds in an event. */
    Reading<T> follow(RunHandle run, BiConsumer<Event, Reading<T>> reader) {
        new Following<>(run, reader, this);
        return this;
    }

    void put(T item) {
        isWanted = false;
        Node<T> node = new Node<>(item, new CompletableFuture<>());
        tail.getAndSet(node.next).complete(node);
    }

    /** After what was put comes this error, or the end when it is null. What is put later is lost, and so is a later end. */
    void end(RuntimeException error) {
        isOver = true;
        CompletableFuture<Node<T>> last = tail.getAndSet(new CompletableFuture<>());
        if (error == null) { last.complete(null); } else { last.completeExceptionally(error); }
    }

    private CompletableFuture<Node<T>> ask() {
        isWanted = !head.isDone();
        if (isWanted) { followings.forEach(Following::pull); }
        return head;
    }

    private void feed(Flow.Subscriber<? super T> subscriber, AtomicLong demand) {
        ask().whenComplete((node, error) -> {
            if (node != null) {
                head = node.next;
                subscriber.onNext(node.item);
                if (demand.decrementAndGet() > 0) { feed(subscriber, demand); }
            } else if (error == null) {
                subscriber.onComplete();
            } else if (!(error instanceof CancellationException)) {
                subscriber.onError(error);
            }
        });
    }
}
