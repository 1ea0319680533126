package dev.runwire;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import dev.runwire.v1.*;
import io.grpc.*;
import io.grpc.Channel;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.Supplier;

/** A connection to a server, for any number of threads. It has none: what arrives comes by gRPC's. */
public final class RunwireClient implements AutoCloseable {
    private static final Duration UNARY_TIMEOUT = Duration.ofSeconds(30);
    final ManagedChannel connection;
    private final Channel channel;

    /** Connects without TLS. The target is HOST:PORT, or any name that gRPC knows. */
    public RunwireClient(String target) { this(Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())); }

    /** Connects as the builder says, with TLS or interceptors; keepalive and retries are set here. */
    public RunwireClient(ManagedChannelBuilder<?> builder) {
        var json = new InputStreamReader(getClass().getResourceAsStream("service_config.json"), StandardCharsets.UTF_8);
        Map<String, Object> config = new Gson().fromJson(json, new TypeToken<Map<String, Object>>() { });
        connection = builder.keepAliveTime(60, TimeUnit.SECONDS).keepAliveTimeout(20, TimeUnit.SECONDS)
                .defaultServiceConfig(config).enableRetry().build();
        channel = ClientInterceptors.intercept(connection, new Calling());
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
    public CompletableFuture<String> chat(String userId, String text) { return conversation(userId).chat(text); }

    /** A conversation in a new session. */
    public Conversation conversation(String userId) {
        return conversation(RunRequest.newBuilder().setUserId(userId).build());
    }

    /** A conversation whose runs are all like this request: its user, session, agent, options. */
    public Conversation conversation(RunRequest like) { return new Conversation(this, like); }

    /** A request that says this. */
    public static RunRequest saying(String text) {
        return RunRequest.newBuilder().setMessage(Message.newBuilder().setContent(text)).build();
    }

    /** Calls a stub, as in {@code call(() -> client.sessions().getSession(request))}. Throws {@link CallException}. */
    public static <T> T call(Supplier<T> call) {
        try {
            return call.get();
        } catch (StatusRuntimeException error) {
            throw new CallException(error.getStatus(), error.getTrailers());
        }
    }

    /** All else about runs. */
    public RunnerServiceGrpc.RunnerServiceBlockingStub runner() { return RunnerServiceGrpc.newBlockingStub(channel); }
    /** Sessions, and their state. */
    public SessionServiceGrpc.SessionServiceBlockingStub sessions() {
        return SessionServiceGrpc.newBlockingStub(channel);
    }
    /** Agents, and the server. */
    public AgentServiceGrpc.AgentServiceBlockingStub agents() { return AgentServiceGrpc.newBlockingStub(channel); }
    /** For stubs of other kinds. A call that answers at once has 30 s for it, unless it has a deadline of its own. */
    public Channel channel() { return channel; }
    /** Closes the connection. What is being read ends with CallException. */
    @Override public void close() { connection.shutdownNow(); }

    private final class Calling implements ClientInterceptor {
        @Override public <Q, R> ClientCall<Q, R> interceptCall(
                MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
            // gRPC would refuse all calls for a second and more after a connection failed, before it tries another.
            if (connection.getState(false) == ConnectivityState.TRANSIENT_FAILURE) { connection.enterIdle(); }
            boolean isUntimed = method.getType() == MethodDescriptor.MethodType.UNARY && options.getDeadline() == null;
            return next.newCall(method, isUntimed ? options.withDeadlineAfter(UNARY_TIMEOUT) : options);
        }
    }
}
