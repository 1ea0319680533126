package dev.runwire;

import dev.runwire.v1.*;
import io.grpc.*;
import io.grpc.Status.Code;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.function.*;

/**
 * Something to read, once: iterate it, or give it one subscriber. Nothing is taken off the wire before it is asked for:
 * a slow reader costs no memory. Read it to its end, or close it: that ends waits, and cancels the call, but not the run.
 */
public final class Reading<T> implements Iterable<T>, Iterator<T>, Flow.Publisher<T>, AutoCloseable {
    private static final int BREAKS_MAX = 8; // between two events that arrive
    private static final int FIRST_BREAKS_MAX = 3; // a server that was never reached is more likely not there
    private static final Metadata.Key<String> ACCEPTED =
            Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);
    // What a broken connection looks like. A proxy that cuts a stream says INTERNAL or CANCELLED.
    private static final Set<Code> BROKEN =
            EnumSet.of(Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED, Code.DEADLINE_EXCEEDED);

    /** A chain: each future brings an item and the future of what comes after it, or null at the end. */
    private record Node<T>(T item, CompletableFuture<Node<T>> next) { }
    private volatile CompletableFuture<Node<T>> head = new CompletableFuture<>();
    private final AtomicReference<CompletableFuture<Node<T>>> tail = new AtomicReference<>(head);
    private final Set<Following> followings = ConcurrentHashMap.newKeySet();
    private volatile boolean isWanted;
    volatile boolean isOver;

    @Override public Iterator<T> iterator() { return this; }

    /** Waits. Throws {@link RunwireException}; CancellationException when this is closed, or the thread interrupted. */
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
        return take(head.join());
    }

    @Override public void subscribe(Flow.Subscriber<? super T> subscriber) {
        AtomicLong demand = new AtomicLong();
        subscriber.onSubscribe(new Flow.Subscription() {
            @Override public void cancel() { close(); }
            @Override public void request(long n) {
                if (n <= 0) { end(new IllegalArgumentException("request of " + n)); }
                long before = demand.getAndAccumulate(Math.max(n, 1), (a, b) -> a + b < 0 ? Long.MAX_VALUE : a + b);
                if (before == 0) { feed(subscriber, demand); }
            }
        });
    }

    @Override public void close() {
        CancellationException closed = new CancellationException("the reading was closed");
        end(closed);
        head = CompletableFuture.failedFuture(closed); // what nobody took is lost
        followings.forEach(Following::hangUp);
    }

    /** The first item; cancelling the future closes this. */
    CompletableFuture<T> first() {
        CompletableFuture<T> first = ask().thenApply(node -> Optional.ofNullable(node).orElseThrow().item);
        first.whenComplete((item, error) -> close());
        return first;
    }

    /** Reads a run, beside what is read already. The reader puts here what it finds in an event. */
    Reading<T> follow(RunHandle run, BiConsumer<Event, Reading<T>> reader) {
        new Following(run, reader).open();
        return this;
    }

    void put(T item) {
        Node<T> node = new Node<>(item, new CompletableFuture<>());
        isWanted = false;
        tail.getAndSet(node.next).complete(node);
    }

    /** After what was put comes this error, or the end when it is null. What is put later is lost; a later end, too. */
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

    private T take(Node<T> node) {
        head = node.next;
        return node.item;
    }

    private void feed(Flow.Subscriber<? super T> subscriber, AtomicLong demand) {
        ask().whenComplete((node, error) -> {
            if (node != null) {
                subscriber.onNext(take(node));
                if (demand.decrementAndGet() > 0) { feed(subscriber, demand); }
            } else if (error == null) {
                subscriber.onComplete();
            } else if (!(error instanceof CancellationException)) {
                subscriber.onError(error);
            }
        });
    }

    /** The way through one run, over as many calls as it takes. */
    private final class Following {
        private final RunHandle run;
        private final BiConsumer<Event, Reading<T>> reader;
        private final Context context = Context.current();
        private CompletableFuture<?> pause = new CompletableFuture<>();
        private ClientCall<?, ?> call;
        private boolean isHungUp, isAsked, hasNews, wasReached, wasSentAway;
        private int breaks;
        private long lastSequence;
        private double delayMillis;

        Following(RunHandle run, BiConsumer<Event, Reading<T>> reader) {
            this.run = run;
            this.reader = reader;
            lastSequence = run.attach.getAfterSequence();
            followings.add(this);
        }

        /** Asks for an event, unless one is on its way; when there is no call, as soon as there is one. */
        synchronized void pull() {
            if (!isAsked && call != null) { call.request(1); }
            isAsked = true;
        }

        synchronized void hangUp() {
            isHungUp = true;
            followings.remove(this);
            pause.cancel(false);
            if (call != null) { call.cancel("nobody reads on", null); }
        }

        void open() {
            CallOptions options = CallOptions.DEFAULT; // Attach has no deadline: it would end the stream, not the run
            if (run.request == null || lastSequence > 0) {
                AttachRequest request = run.attach.toBuilder().setAfterSequence(lastSequence).build();
                open(RunnerServiceGrpc.getAttachMethod(), request, options, AttachResponse::getEvent);
            } else {
                options = run.deadline == null ? options : options.withDeadlineAfter(run.deadline);
                open(RunnerServiceGrpc.getRunMethod(), run.request, options, RunResponse::getEvent);
            }
        }

        private synchronized <Q, R> void open(
                MethodDescriptor<Q, R> method, Q request, CallOptions options, Function<R, Event> event) {
            if (isHungUp || isOver) { return; }
            hasNews = wasSentAway = false;
            delayMillis = 0;
            ClientCall<Q, R> opened = run.client.channel().newCall(method, options);
            opened.start(new ClientCall.Listener<>() {
                @Override public void onHeaders(Metadata headers) {
                    wasReached |= headers.containsKey(ACCEPTED);
                    String session = run.request == null ? "" : run.request.getSessionId();
                    if (headers.containsKey(ACCEPTED) && !session.isEmpty()) { run.session.complete(session); }
                }
                @Override public void onMessage(R response) { note(event.apply(response)); }
                @Override public void onClose(Status status, Metadata trailers) { noteEnd(status, trailers); }
            }, new Metadata());
            opened.sendMessage(request);
            opened.halfClose();
            if (isAsked) { opened.request(1); }
            call = opened;
        }

        private void note(Event event) {
            synchronized (this) { isAsked = false; }
            wasReached = true;
            lastSequence = Math.max(lastSequence, event.getSequence());
            if (event.hasReconnect()) {
                wasSentAway = true;
                com.google.protobuf.Duration delay = event.getReconnect().getDelay();
                delayMillis = delay.getSeconds() * 1e3 + delay.getNanos() / 1e6;
                call.cancel("sent away", null);
            } else if (!event.hasCaughtUp()) {
                hasNews = true;
                breaks = 0;
                String session = event.getRunStarted().getRun().getSession().getSessionId();
                if (!session.isEmpty()) { run.session.complete(session); }
                if (!event.hasHeartbeat()) { reader.accept(event, Reading.this); }
                if (event.hasCompletion() || isOver) { hangUp(); }
            }
            if (isWanted) { pull(); }
        }

        private synchronized void noteEnd(Status status, Metadata trailers) {
            boolean isCut = !status.isOk() && !wasSentAway;
            boolean isFinal = !BROKEN.contains(status.getCode())
                    || status.getCode() == Code.DEADLINE_EXCEEDED && lastSequence == 0
                    || status.getCode() != Code.UNAVAILABLE && trailers.containsKey(CallException.DETAILS)
                    || context.isCancelled() || run.client.connection.isShutdown();
            call = null;
            if (isHungUp) { return; }
            if (status.isOk() && !hasNews && !wasSentAway) {
                end(null); // it began behind the completion
            } else if (++breaks >= (wasReached ? BREAKS_MAX : FIRST_BREAKS_MAX) || isCut && isFinal) {
                end(new CallException(isCut ? status : Status.UNAVAILABLE.withDescription("sent away"), trailers));
            } else {
                double longest = wasSentAway && breaks == 1 ? 0 : Math.min(100 << breaks, 5_000);
                long millis = Math.round(delayMillis + longest * ThreadLocalRandom.current().nextDouble(0.5, 1));
                pause = new CompletableFuture<Void>().completeOnTimeout(null, millis, TimeUnit.MILLISECONDS);
                pause.thenRunAsync(context.wrap((Runnable) this::open));
            }
        }
    }
}
