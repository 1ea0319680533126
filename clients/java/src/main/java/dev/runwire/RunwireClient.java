package dev.runwire;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import dev.runwire.v1.*;
import dev.runwire.v1.Channel;
import io.grpc.*;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.Supplier;

/** A connection to a server, for any number of threads. */
public final class RunwireClient implements AutoCloseable {
    final ManagedChannel connection;

    /** Connects without TLS. The target is HOST:PORT, or any name that gRPC knows. */
    public RunwireClient(String target) { this(Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())); }

    /** Connects as the builder says, with TLS or interceptors; keepalive and retries are set here. */
    public RunwireClient(ManagedChannelBuilder<?> builder) {
        var json = new InputStreamReader(getClass().getResourceAsStream("service_config.json"), StandardCharsets.UTF_8);
        Map<String, Object> config = new Gson().fromJson(json, new TypeToken<Map<String, Object>>() { });
        connection = builder.keepAliveTime(60, TimeUnit.SECONDS).keepAliveTimeout(20, TimeUnit.SECONDS)
                .defaultServiceConfig(config).enableRetry().intercept(new Calling()).build();
    }

    /** A run, which begins when it is first read. An empty request id is made here. */
    public RunHandle run(RunRequest request) { return run(request, null); }
    /** A run that ends TIMED_OUT when it takes longer than that. */
    public RunHandle run(RunRequest request, Duration deadline) {
        String id = request.getRequestId().isEmpty() ? UUID.randomUUID().toString() : request.getRequestId();
        AttachRequest attach = AttachRequest.newBuilder().setAppName(request.getAppName()).setRequestId(id)
                .setStream(request.getStream()).build();
        return new RunHandle(this, request.toBuilder().setRequestId(id).build(), attach, deadline);
    }

    /** A run that is there, live or ended, from a sequence on. */
    public RunHandle attach(AttachRequest request) { return new RunHandle(this, null, request, null); }
    /** Says something in a new session, and waits for the answer's text. Cancelling the future cancels the call. */
    public CompletableFuture<String> chat(String userId, String text) {
        return run(saying(text).toBuilder().setUserId(userId).build()).text();
    }

    /** A conversation whose runs are all like this request: its user, session (empty: a new one), agent, options. */
    public Conversation conversation(RunRequest like) { return new Conversation(like); }

    /** A request that says this. */
    public static RunRequest saying(String text) {
        return RunRequest.newBuilder().setMessage(Message.newBuilder().setContent(text)).build();
    }

    /** Calls a stub, as in {@code call(() -> stub.getSession(request))}. Throws RunwireException.CallFailed. */
    public static <T> T call(Supplier<T> call) {
        try {
            return call.get();
        } catch (StatusRuntimeException error) {
            throw new RunwireException.CallFailed(error.getStatus(), error.getTrailers());
        }
    }

    /** For the generated stubs. A call that answers at once has 30 s for it, unless it has a deadline of its own. */
    public io.grpc.Channel channel() { return connection; }
    /** Closes the connection. What is being read ends with CallFailed. */
    @Override public void close() { connection.shutdownNow(); }

    private final class Calling implements ClientInterceptor {
        @Override public <Q, R> ClientCall<Q, R> interceptCall(
                MethodDescriptor<Q, R> method, CallOptions options, io.grpc.Channel next) {
            // gRPC would refuse all calls for a second and more after a connection failed, before it tries another.
            if (connection.getState(false) == ConnectivityState.TRANSIENT_FAILURE) { connection.enterIdle(); }
            boolean isUntimed = method.getType() == MethodDescriptor.MethodType.UNARY && options.getDeadline() == null;
            return next.newCall(method, isUntimed ? options.withDeadlineAfter(30, TimeUnit.SECONDS) : options);
        }
    }

    /** A session to talk in. */
    public final class Conversation {
        private final Map<Reading<Event>, List<Channel>> subscriptions = new ConcurrentHashMap<>();
        private volatile RunRequest like;
        private CompletableFuture<String> sending = CompletableFuture.completedFuture(""); // it may make the session

        private Conversation(RunRequest like) { this.like = like; }

        /** The session; empty until the first run has begun, when the server makes it. */
        public String sessionId() { return like.getSessionId(); }
        /** Says something, and waits for the answer's text. Cancelling the future cancels the call. */
        public CompletableFuture<String> chat(String text) { return run(saying(text)).text(); }

        /** A run of this session. What the request leaves empty is the conversation's. */
        public RunHandle run(RunRequest request) {
            RunHandle run = RunwireClient.this.run(like.toBuilder().mergeFrom(request).build());
            run.begun = run.session.thenAccept(id -> {
                like = like.toBuilder().setSessionId(id).build();
                subscriptions.keySet().removeIf(subscription -> subscription.isOver);
                subscriptions.forEach((subscription, channels) -> {
                    StreamOptions.Builder stream = run.attach.getStream().toBuilder().addAllChannels(channels);
                    RunHandle attached = attach(run.attach.toBuilder().setStream(stream).build());
                    subscription.follow(attached, (event, out) -> out.put(event));
                });
            });
            return run;
        }

        /** Starts a run that nobody need follow, and gives its id when the server has it, and the ones before. */
        public synchronized CompletableFuture<String> send(String text) {
            RunRequest.Builder request = saying(text).toBuilder();
            request.getOptionsBuilder().setDetachedCancel(true);
            sending = sending.handle((before, error) -> run(request.build())).thenCompose(run -> {
                CompletableFuture<?> end = run.result();
                return CompletableFuture.anyOf(run.begun, end).thenApply(any -> run.requestId())
                        .whenComplete((id, error) -> end.cancel(false));
            });
            return sending;
        }

        /** The events of all runs that begin through this from now on, of these channels or all. Close it: no end. */
        public Reading<Event> subscribe(Channel... channels) {
            Reading<Event> subscription = new Reading<>();
            subscriptions.put(subscription, List.of(channels));
            return subscription;
        }
    }
}
