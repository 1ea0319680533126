package dev.runwire;

import dev.runwire.v1.*;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/** A session to talk in. */
public final class Conversation {
    private final RunwireClient client;
    private final Map<Reading<Event>, List<Channel>> subscriptions = new ConcurrentHashMap<>();
    private volatile RunRequest like;
    private CompletableFuture<String> sending = CompletableFuture.completedFuture("");

    Conversation(RunwireClient client, RunRequest like) {
        this.client = client;
        this.like = like;
    }

    /** The session; empty until the first run has begun, when the server makes it. */
    public String sessionId() { return like.getSessionId(); }

    /** A run of this session. What the request leaves empty is the conversation's. */
    public RunHandle run(RunRequest request) {
        return run(request, begun -> { });
    }

    /** Says something, and waits for the answer's text. Cancelling the future cancels the call. */
    public CompletableFuture<String> chat(String text) { return run(RunwireClient.saying(text)).text(); }

    /**
     * Says something that nobody need follow, and waits until the server has it, for the request id; {@link #subscribe} shows
     * what comes of it. One is sent after the other: the first may have to make the session that the next one is for.
     */
    public synchronized CompletableFuture<String> send(String text) {
        CompletableFuture<String> sent = new CompletableFuture<>();
        sending.whenComplete((before, error) -> { if (!sent.isDone()) { send(text, sent); } });
        return sending = sent;
    }

    /**
     * The events of all runs that begin through this object from now on; those of runs that work at the same time come mixed.
     * Only these channels, or all if there are none; always a run's first and last event, errors and approvals. To be closed.
     */
    public Reading<Event> subscribe(Channel... channels) {
        Reading<Event> subscription = new Reading<>();
        subscriptions.put(subscription, List.of(channels));
        return subscription;
    }

    private void send(String text, CompletableFuture<String> sent) {
        RunRequest.Builder request = RunwireClient.saying(text).toBuilder();
        request.getOptionsBuilder().setDetachedCancel(true);
        CompletableFuture<?> reading = run(request.build(), begun -> sent.complete(begun.requestId())).result();
        sent.whenComplete((id, error) -> reading.cancel(false));
        reading.exceptionally(error -> {
            sent.completeExceptionally(error);
            return null;
        });
    }

    private RunHandle run(RunRequest request, Consumer<RunHandle> onBegun) {
        RunHandle run = client.run(like.toBuilder().mergeFrom(request).build());
        run.session.thenAccept(id -> {
            like = like.toBuilder().setSessionId(id).build();
            subscriptions.keySet().removeIf(subscription -> subscription.isOver);
            subscriptions.forEach((subscription, channels) -> {
                AttachRequest.Builder attach = run.attach.toBuilder();
                attach.getStreamBuilder().addAllChannels(channels);
                subscription.follow(client.attach(attach.build()), (event, out) -> out.put(event));
            });
            onBegun.accept(run);
        });
        return run;
    }
}
