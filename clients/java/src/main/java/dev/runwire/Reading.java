package dev.runwire;

import static io.grpc.Status.Code.*;

import dev.runwire.v1.*;
import io.grpc.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.*;

/** Something to read once, to its end; or close it: that ends waits, and cancels the call, but not the run. */
public final class Reading<T> implements Iterable<T>, Iterator<T>, AutoCloseable {
    // What a broken connection looks like. A proxy that cuts a stream says INTERNAL or CANCELLED.
    private static final List<Status.Code> CUT = List.of(UNAVAILABLE, INTERNAL, UNKNOWN, CANCELLED, DEADLINE_EXCEEDED);
    private static final Metadata.Key<String> ACCEPTED =
            Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);

    private final BlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>(); // done by the thread that waits
    private final Context.CancellableContext context = Context.current().withCancellation();
    private final Executor executor = context.fixedContextExecutor(tasks::add);
    private final Queue<T> items = new ConcurrentLinkedQueue<>();
    private volatile RuntimeException error;
    volatile boolean isOver;

    @Override public Iterator<T> iterator() { return this; }

    /** Waits. Throws {@link RunwireException}; CancellationException when this is closed, or the thread interrupted. */
    @Override public boolean hasNext() {
        try {
            while (items.isEmpty() && !isOver) {
                tasks.take().run();
            }
        } catch (InterruptedException interrupt) {
            close();
            Thread.currentThread().interrupt();
        }
        if (items.isEmpty() && error != null) { throw error; }
        return !items.isEmpty();
    }

    @Override public T next() {
        if (!hasNext()) { throw new NoSuchElementException(); }
        return items.remove();
    }

    @Override public void close() {
        end(new CancellationException("the reading was closed"));
        items.clear();
    }

    /** The first item, for which a thread waits. Cancelling the future closes this. */
    CompletableFuture<T> first() {
        CompletableFuture<T> first = CompletableFuture.supplyAsync(() -> {
            if (!hasNext()) { throw new RunwireException("the run is over, and it never came", null); }
            return next();
        }, task -> new Thread(task).start());
        first.whenComplete((item, why) -> close());
        return first;
    }

    /** Reads a run, beside what is read already. The reader puts here what it finds in an event. */
    Reading<T> follow(RunHandle run, BiConsumer<Event, Reading<T>> reader) {
        context.run(new Following(run, reader)::open);
        return this;
    }

    void put(T item) {
        if (!isOver) { items.add(item); }
    }

    /** After what was put comes this error, or the end when it is null. What is put later is lost. */
    synchronized void end(RuntimeException why) {
        error = isOver ? error : why;
        isOver = true;
        context.cancel(null);
        tasks.add(() -> { }); // wakes who waits
    }

    /** The way through one run, over as many calls as it takes. It stays one event ahead of who reads. */
    private final class Following {
        private final RunHandle run;
        private final BiConsumer<Event, Reading<T>> reader;
        private Event last; // of this call
        private boolean hasNews, wasReached;
        private int breaks;
        private long lastSequence;

        Following(RunHandle run, BiConsumer<Event, Reading<T>> reader) {
            this.run = run;
            this.reader = reader;
            lastSequence = run.attach.getAfterSequence();
        }

        void open() {
            CallOptions options = CallOptions.DEFAULT.withExecutor(executor);
            if (run.request != null && lastSequence == 0) {
                options = run.deadline == null ? options : options.withDeadlineAfter(run.deadline);
                open(RunnerServiceGrpc.getRunMethod(), run.request, RunResponse::getEvent, options);
            } else { // without the deadline: it would end the stream, not the run
                AttachRequest request = run.attach.toBuilder().setAfterSequence(lastSequence).build();
                open(RunnerServiceGrpc.getAttachMethod(), request, AttachResponse::getEvent, options);
            }
        }

        private <Q, R> void open(MethodDescriptor<Q, R> method, Q request, Function<R, Event> of, CallOptions options) {
            ClientCall<Q, R> opened = run.client.channel().newCall(method, options);
            last = Event.getDefaultInstance();
            hasNews = false;
            opened.start(new ClientCall.Listener<>() {
                @Override public void onHeaders(Metadata headers) {
                    if (headers.containsKey(ACCEPTED)) { noteReached(run.sessionId()); }
                }
                @Override public void onMessage(R response) { note(of.apply(response), opened); }
                @Override public void onClose(Status status, Metadata trailers) { noteEnd(status, trailers); }
            }, new Metadata());
            opened.sendMessage(request);
            opened.halfClose();
            opened.request(1);
        }

        private void noteReached(String sessionId) {
            wasReached = true;
            if (!sessionId.isEmpty()) { run.session.complete(sessionId); }
        }

        private void note(Event event, ClientCall<?, ?> call) {
            last = event;
            lastSequence = Math.max(lastSequence, event.getSequence());
            noteReached(event.getRunStarted().getRun().getSession().getSessionId());
            if (event.hasReconnect()) {
                call.cancel("sent away", null);
            } else if (!event.hasCaughtUp()) {
                hasNews = true;
                breaks = 0;
                if (!event.hasHeartbeat()) { reader.accept(event, Reading.this); }
            }
            call.request(1);
        }

        private void noteEnd(Status end, Metadata trailers) {
            boolean isCut = !end.isOk() && !last.hasReconnect();
            Status status = isCut ? end : Status.UNAVAILABLE.withDescription("the stream ended before the run");
            boolean isFinal = !CUT.contains(status.getCode())
                    || status.getCode() == DEADLINE_EXCEEDED && lastSequence == 0
                    || status.getCode() != UNAVAILABLE && trailers.containsKey(RunwireException.DETAILS)
                    || context.isCancelled() || run.client.connection.isShutdown();
            if (last.hasCompletion()) { return; }
            if (end.isOk() && !last.hasReconnect() && !hasNews) {
                end(null); // it began behind the completion
            } else if (isFinal || ++breaks >= (wasReached ? 8 : 3)) { // one that was never reached may not be there
                end(new RunwireException.CallFailed(status, trailers));
            } else {
                var named = last.getReconnect().getDelay();
                double backoff = last.hasReconnect() && breaks == 1 ? 0 : Math.min(100 << breaks, 5_000);
                double millis = named.getSeconds() * 1e3 + named.getNanos() / 1e6 + backoff * (0.5 + Math.random() / 2);
                CompletableFuture.delayedExecutor((long) millis, TimeUnit.MILLISECONDS, executor).execute(this::open);
            }
        }
    }
}
