package dev.runwire;

import dev.runwire.v1.AttachResponse;
import dev.runwire.v1.Event;
import dev.runwire.v1.RunResponse;
import dev.runwire.v1.RunnerServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.function.Function;

/** One reader's way through a run, over as many calls as it takes. An event is taken off the wire when its reader wants it. */
final class Following<T> extends Source<T> {
    // Between two events that arrive, a stream may break this often before the client gives up.
    private static final int BREAKS_MAX = 8;
    // A server that was never reached is more likely not there than gone for a moment.
    private static final int FIRST_BREAKS_MAX = 3;
    private static final double DELAY_MILLIS_FIRST = 100;
    private static final double DELAY_MILLIS_MAX = 5_000;
    private static final Metadata.Key<String> ACCEPTED = Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);
    // What a broken connection looks like. A proxy that cuts a stream says INTERNAL or CANCELLED.
    private static final Set<Code> BROKEN =
            EnumSet.of(Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED, Code.DEADLINE_EXCEEDED);

    private final RunHandle run;
    private final BiPredicate<Event, Consumer<T>> reader;
    private final Context context = Context.current();
    private ClientCall<?, ?> call;
    private CompletableFuture<?> pause = CompletableFuture.completedFuture(null);
    private boolean isAsked;
    private boolean wasReached;
    private boolean wasSentAway;
    private boolean hasNews;
    private long lastSequence;
    private int breaks;
    private double delayMillis;

    /** The reader takes an event, gives what is to be read of it, and says whether it goes on; it throws what it ends with. */
    Following(RunHandle run, BiPredicate<Event, Consumer<T>> reader) {
        this.run = run;
        this.reader = reader;
        lastSequence = run.attach.getAfterSequence();
        open();
    }

    @Override synchronized void pull() {
        if (!isAsked && call != null) {
            isAsked = true;
            call.request(1);
        }
    }

    @Override void cancel() {
        super.cancel();
        hangUp();
    }

    private synchronized void hangUp() {
        pause.cancel(false);
        call.cancel("nobody reads on", null);
    }

    private void open() {
        if (run.request != null && lastSequence == 0) {
            open(RunnerServiceGrpc.getRunMethod(), run.request, run.options(), RunResponse::getEvent);
        } else { // without a deadline: it would end the stream, not the run, which has its own
            open(RunnerServiceGrpc.getAttachMethod(), run.attach.toBuilder().setAfterSequence(lastSequence).build(),
                    CallOptions.DEFAULT, AttachResponse::getEvent);
        }
        settle();
    }

    private synchronized <Q, R> void open(MethodDescriptor<Q, R> method, Q request, CallOptions options, Function<R, Event> event) {
        wasSentAway = hasNews = isAsked = false;
        delayMillis = 0;
        ClientCall<Q, R> opened = run.client.channel().newCall(method, options);
        opened.start(new ClientCall.Listener<>() {
            @Override public void onHeaders(Metadata headers) { noteHeaders(headers); }

            @Override public void onMessage(R response) { note(event.apply(response)); }

            @Override public void onClose(Status status, Metadata trailers) { noteEnd(status, trailers); }
        }, new Metadata());
        opened.sendMessage(request);
        opened.halfClose();
        call = opened;
        if (isOver()) {
            hangUp();
        }
    }

    private void noteHeaders(Metadata headers) {
        if (headers.containsKey(ACCEPTED)) {
            wasReached = true;
            run.noteAccepted();
        }
    }

    private void note(Event event) {
        synchronized (this) { isAsked = false; }
        wasReached = true;
        lastSequence = Math.max(lastSequence, event.getSequence());
        if (event.hasReconnect()) {
            wasSentAway = true;
            delayMillis = event.getReconnect().getDelay().getSeconds() * 1e3 + event.getReconnect().getDelay().getNanos() / 1e6;
            call.cancel("sent away", null);
        } else if (!event.hasCaughtUp()) {
            hasNews = true;
            breaks = 0;
            show(event);
        }
        settle();
    }

    private void show(Event event) {
        try {
            if (event.hasRunStarted()) {
                run.session.complete(event.getRunStarted().getRun().getSession().getSessionId());
            }
            if (!event.hasHeartbeat() && !reader.test(event, this::put) || event.hasCompletion()) {
                end(null);
                hangUp();
            }
        } catch (RunwireException error) {
            end(error);
            hangUp();
        }
    }

    private void noteEnd(Status status, Metadata trailers) {
        boolean isFinal = status.getCode() != Code.UNAVAILABLE && trailers.containsKey(CallException.DETAILS)
                || status.getCode() == Code.DEADLINE_EXCEEDED && lastSequence == 0
                || context.isCancelled() || run.client.isClosed();
        breaks++;
        if (status.isOk() && !hasNews && !wasSentAway) {
            end(null); // it began behind the completion
        } else if (wasSentAway || status.isOk() || BROKEN.contains(status.getCode()) && !isFinal) {
            if (breaks < (wasReached ? BREAKS_MAX : FIRST_BREAKS_MAX)) {
                pause();
            } else {
                end(new CallException(wasSentAway || status.isOk() ? Status.UNAVAILABLE.withDescription("sent away") : status, trailers));
            }
        } else {
            end(new CallException(status, trailers));
        }
    }

    private synchronized void pause() {
        if (!wasSentAway || breaks > 1) {
            double longest = Math.min(DELAY_MILLIS_FIRST * (1 << breaks), DELAY_MILLIS_MAX);
            delayMillis += longest * ThreadLocalRandom.current().nextDouble(0.5, 1);
        }
        if (!isOver()) {
            pause = new CompletableFuture<Void>().completeOnTimeout(null, Math.round(delayMillis), TimeUnit.MILLISECONDS);
            pause.thenRunAsync(context.wrap((Runnable) this::open));
        }
    }
}
