package dev.runwire;

import com.google.gson.Gson;
import dev.runwire.v1.AgentServiceGrpc;
import dev.runwire.v1.AttachRequest;
import dev.runwire.v1.CancelRequest;
import dev.runwire.v1.CancelResponse;
import dev.runwire.v1.Message;
import dev.runwire.v1.RunRequest;
import dev.runwire.v1.RunnerServiceGrpc;
import dev.runwire.v1.SessionServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ConnectivityState;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * A connection to a server. It may be used by any number of threads, and has none of its own: gRPC's bring what arrives, and the
 * JDK's timer ends the waits between tries.
 */
public final class RunwireClient implements AutoCloseable {
    private static final Duration UNARY_TIMEOUT = Duration.ofSeconds(30);
    private static final long MEND_MILLIS = 50;

    private final ManagedChannel connection;
    private final Channel channel;

    /** Connects without TLS. The target is HOST:PORT, or any name that gRPC knows. */
    public RunwireClient(String target) { this(Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())); }

    /** Connects by a channel of your own making, with TLS or interceptors; the client adds keepalive and retries. */
    public RunwireClient(ManagedChannelBuilder<?> builder) {
        connection = builder.keepAliveTime(60, TimeUnit.SECONDS).keepAliveTimeout(20, TimeUnit.SECONDS)
                .defaultServiceConfig(serviceConfig()).enableRetry().build();
        channel = ClientInterceptors.intercept(connection, new UnaryTimeout());
        mend();
    }

    /** A run, which begins when it is first read. An empty request id is made here, so that every try is the same run's. */
    public RunHandle run(RunRequest request) { return run(request, null); }

    /** A run that ends TIMED_OUT when it takes longer than that. */
    public RunHandle run(RunRequest request, Duration deadline) {
        String requestId = request.getRequestId().isEmpty() ? UUID.randomUUID().toString() : request.getRequestId();
        AttachRequest attach = AttachRequest.newBuilder().setAppName(request.getAppName()).setRequestId(requestId)
                .setStream(request.getStream()).build();
        return new RunHandle(this, request.toBuilder().setRequestId(requestId).build(), attach, deadline);
    }

    /** A run that is there, live or ended, from a sequence on. */
    public RunHandle attach(AttachRequest request) { return new RunHandle(this, null, request, null); }

    /** Says something, and waits for the text of the answer. Cancelling the future cancels the call. */
    public CompletableFuture<String> chat(String userId, String text) { return conversation(userId).chat(text); }

    /** A conversation in a new session. */
    public Conversation conversation(String userId) { return conversation(RunRequest.newBuilder().setUserId(userId).build()); }

    /** A conversation all of whose runs are like that request: its user, session, agent, options. */
    public Conversation conversation(RunRequest like) { return new Conversation(this, like); }

    /** Asks a run to stop; {@code wait} says how long to wait for its end. */
    public CancelResponse cancel(CancelRequest request) {
        Duration timeout = UNARY_TIMEOUT.plusSeconds(request.getWait().getSeconds());
        return call(() -> runner().withDeadlineAfter(timeout).cancel(request));
    }

    /** The request that says this. */
    public static RunRequest saying(String text) {
        return RunRequest.newBuilder().setMessage(Message.newBuilder().setContent(text)).build();
    }

    /** Makes a call by one of the stubs: {@code call(() -> client.sessions().getSession(request))}. Throws CallException. */
    public static <T> T call(Supplier<T> call) {
        try {
            return call.get();
        } catch (StatusRuntimeException error) {
            throw new CallException(error.getStatus(), error.getTrailers());
        }
    }

    /** All else that can be done with runs. */
    public RunnerServiceGrpc.RunnerServiceBlockingStub runner() { return RunnerServiceGrpc.newBlockingStub(channel); }

    /** Sessions, and their state. */
    public SessionServiceGrpc.SessionServiceBlockingStub sessions() { return SessionServiceGrpc.newBlockingStub(channel); }

    /** Agents, and the server. */
    public AgentServiceGrpc.AgentServiceBlockingStub agents() { return AgentServiceGrpc.newBlockingStub(channel); }

    /** For stubs of another kind. Calls that answer once time out after 30 s, unless they have a deadline of their own. */
    public Channel channel() { return channel; }

    /** Closes the connection. What is being read ends with CallException. */
    @Override public void close() { connection.shutdownNow(); }

    boolean isClosed() { return connection.isShutdown(); }

    /** Forgets a connection that failed: gRPC would fail all calls for a second and more, before it tries another. */
    private void mend() {
        ConnectivityState state = connection.getState(false);
        if (state == ConnectivityState.TRANSIENT_FAILURE) {
            CompletableFuture.delayedExecutor(MEND_MILLIS, TimeUnit.MILLISECONDS).execute(connection::enterIdle);
        }
        if (state != ConnectivityState.SHUTDOWN) {
            connection.notifyWhenStateChanged(state, this::mend);
        }
    }

    private static Map<String, ?> serviceConfig() {
        try (Reader json = new InputStreamReader(
                RunwireClient.class.getResourceAsStream("service_config.json"), StandardCharsets.UTF_8)) {
            @SuppressWarnings("unchecked")
            Map<String, ?> config = new Gson().fromJson(json, Map.class);
            return config;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static final class UnaryTimeout implements ClientInterceptor {
        @Override public <Q, R> ClientCall<Q, R> interceptCall(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
            boolean isOpen = method.getType() == MethodDescriptor.MethodType.UNARY && options.getDeadline() == null;
            return next.newCall(method, isOpen ? options.withDeadlineAfter(UNARY_TIMEOUT) : options);
        }
    }
}
