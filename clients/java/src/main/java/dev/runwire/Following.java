package dev.runwire;

import dev.runwire.RunwireException.CallException;
import dev.runwire.v1.*;
import io.grpc.*;
import io.grpc.Status.Code;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.*;

/** One reader's way through a run, over as many calls as it takes. */
final class Following<T> {
    private static final int BREAKS_MAX = 8; // between two events that arrive
    private static final int FIRST_BREAKS_MAX = 3; // a server that was never reached is more likely not there
    private static final double DELAY_MILLIS_FIRST = 100;
    private static final double DELAY_MILLIS_MAX = 5_000;
    private static final Metadata.Key<String> ACCEPTED =
            Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);
    // What a broken connection looks like. A proxy that cuts a stream says INTERNAL or CANCELLED.
    private static final Set<Code> BROKEN =
            EnumSet.of(Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED, Code.DEADLINE_EXCEEDED);

    private final RunHandle run;
    private final BiConsumer<Event, Reading<T>> reader;
    private final Reading<T> out;
    private final Context context = Context.current();
    private CompletableFuture<?> pause = CompletableFuture.completedFuture(null);
    private ClientCall<?, ?> call;
    private boolean isOver, isAsked, hasNews, wasReached, wasSentAway;
    private int breaks;
    private long lastSequence;
    private double delayMillis;

    Following(RunHandle run, BiConsumer<Event, Reading<T>> reader, Reading<T> out) {
        this.run = run;
        this.reader = reader;
        this.out = out;
        lastSequence = run.attach.getAfterSequence();
        out.followings.add(this);
        open();
        if (out.isOver) { hangUp(); }
    }

    /** Asks for an event, unless one is on its way. What is asked for while there is no call is asked for when there is. */
    synchronized void pull() {
        if (!isAsked && call != null) { call.request(1); }
        isAsked = true;
    }

    synchronized void hangUp() {
        isOver = true;
        out.followings.remove(this);
        pause.cancel(false);
        if (call != null) { call.cancel("nobody reads on", null); }
    }

    private void open() {
        CallOptions options = CallOptions.DEFAULT; // Attach has no deadline: it would end the stream, not the run
        AttachRequest attach = run.attach.toBuilder().setAfterSequence(lastSequence).build();
        if (run.request == null || lastSequence > 0) {
            open(RunnerServiceGrpc.getAttachMethod(), attach, options, AttachResponse::getEvent);
        } else {
            options = run.deadline == null ? options : options.withDeadlineAfter(run.deadline);
            open(RunnerServiceGrpc.getRunMethod(), run.request, options, RunResponse::getEvent);
        }
    }

    private synchronized <Q, R> void open(MethodDescriptor<Q, R> method, Q request, CallOptions options, Function<R, Event> event) {
        if (isOver) { return; }
        hasNews = wasSentAway = false;
        delayMillis = 0;
        ClientCall<Q, R> opened = run.client.channel().newCall(method, options);
        opened.start(new ClientCall.Listener<>() {
            @Override public void onHeaders(Metadata headers) { noteHeaders(headers); }
            @Override public void onMessage(R response) { note(event.apply(response)); }
            @Override public void onClose(Status status, Metadata trailers) { noteEnd(status, trailers); }
        }, new Metadata());
        opened.sendMessage(request);
        opened.halfClose();
        if (isAsked) { opened.request(1); }
        call = opened;
    }

    private void noteHeaders(Metadata headers) {
        boolean isAccepted = headers.containsKey(ACCEPTED);
        wasReached |= isAccepted;
        String session = run.request == null ? "" : run.request.getSessionId();
        if (isAccepted && !session.isEmpty()) { run.session.complete(session); }
    }

    private void note(Event event) {
        synchronized (this) { isAsked = false; }
        wasReached = true;
        lastSequence = Math.max(lastSequence, event.getSequence());
        if (event.hasReconnect()) {
            com.google.protobuf.Duration delay = event.getReconnect().getDelay();
            delayMillis = delay.getSeconds() * 1e3 + delay.getNanos() / 1e6;
            wasSentAway = true;
            call.cancel("sent away", null);
        } else if (!event.hasCaughtUp()) {
            hasNews = true;
            breaks = 0;
            if (event.hasRunStarted()) { run.session.complete(event.getRunStarted().getRun().getSession().getSessionId()); }
            if (!event.hasHeartbeat()) { reader.accept(event, out); }
            if (event.hasCompletion() || out.isOver) { hangUp(); }
        }
        if (out.isWanted) { pull(); }
    }

    private synchronized void noteEnd(Status status, Metadata trailers) {
        Code code = status.getCode();
        boolean isCut = !status.isOk() && !wasSentAway;
        boolean isFinal = !BROKEN.contains(code) || code == Code.DEADLINE_EXCEEDED && lastSequence == 0
                || code != Code.UNAVAILABLE && trailers.containsKey(CallException.DETAILS)
                || context.isCancelled() || run.client.connection.isShutdown();
        call = null;
        if (status.isOk() && !hasNews && !wasSentAway) {
            out.end(null); // it began behind the completion
        } else if (++breaks >= (wasReached ? BREAKS_MAX : FIRST_BREAKS_MAX) || isCut && isFinal) {
            out.end(new CallException(isCut ? status : Status.UNAVAILABLE.withDescription("sent away"), trailers));
        } else if (!isOver) {
            double longest = Math.min(DELAY_MILLIS_FIRST * (1 << breaks), DELAY_MILLIS_MAX);
            double backoff = wasSentAway && breaks == 1 ? 0 : longest * ThreadLocalRandom.current().nextDouble(0.5, 1);
            long millis = Math.round(delayMillis + backoff);
            pause = new CompletableFuture<Void>().completeOnTimeout(null, millis, TimeUnit.MILLISECONDS);
            pause.thenRunAsync(context.wrap((Runnable) this::open));
        }
    }
}
