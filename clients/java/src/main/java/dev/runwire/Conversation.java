package dev.runwire;

import dev.runwire.v1.*;
import java.util.*;
import java.util.concurrent.*;

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
        RunHandle run = client.run(like.toBuilder().mergeFrom(request).build());
        run.begun = run.session.thenAccept(id -> {
            like = like.toBuilder().setSessionId(id).build();
            subscriptions.keySet().removeIf(subscription -> subscription.isOver);
            subscriptions.forEach((subscription, channels) -> {
                StreamOptions.Builder stream = run.attach.getStream().toBuilder().addAllChannels(channels);
                RunHandle attached = client.attach(run.attach.toBuilder().setStream(stream).build());
                subscription.follow(attached, (event, out) -> out.put(event));
            });
        });
        return run;
    }

    /** Says something, and waits for the answer's text. Cancelling the future cancels the call. */
    public CompletableFuture<String> chat(String text) { return run(RunwireClient.saying(text)).text(); }

    /** Says something that nobody need follow, and gives the request id when the server has it. One after the other. */
    public synchronized CompletableFuture<String> send(String text) {
        RunRequest.Builder request = RunwireClient.saying(text).toBuilder();
        request.getOptionsBuilder().setDetachedCancel(true);
        // The first may have to make the session that the next one is for.
        sending = sending.handle((before, error) -> run(request.build())).thenCompose(run -> {
            CompletableFuture<?> end = run.result();
            return CompletableFuture.anyOf(run.begun, end).thenApply(any -> run.requestId())
                    .whenComplete((id, error) -> end.cancel(false));
        });
        return sending;
    }

    /**
     * The events of the runs that begin through this object from now on, mixed when they work at the same time. With
     * channels, only those, and always a run's first and last event, errors, approvals. It does not end: close it.
     */
    public Reading<Event> subscribe(Channel... channels) {
        Reading<Event> subscription = new Reading<>();
        subscriptions.put(subscription, List.of(channels));
        return subscription;
    }
}
