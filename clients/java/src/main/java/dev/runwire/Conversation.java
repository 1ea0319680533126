package dev.runwire;

import dev.runwire.v1.AttachRequest;
import dev.runwire.v1.Channel;
import dev.runwire.v1.Event;
import dev.runwire.v1.RunRequest;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/** A session to talk in. */
public final class Conversation {
    private final RunwireClient client;
    private final Set<Subscription> subscriptions = ConcurrentHashMap.newKeySet();
    private volatile RunRequest like;
    private CompletableFuture<String> sending = CompletableFuture.completedFuture("");

    Conversation(RunwireClient client, RunRequest like) {
        this.client = client;
        this.like = like;
    }

    /** The session; empty until the first run has begun, when the server makes it. */
    public String sessionId() { return like.getSessionId(); }

    /** A run of this session; see {@link RunwireClient#run(RunRequest)}. What the request leaves empty is the conversation's. */
    public RunHandle run(RunRequest request) { return run(request, requestId -> { }); }

    /** Says something, and waits for the answer's text. Cancelling the future cancels the call. */
    public CompletableFuture<String> chat(String text) { return run(RunwireClient.saying(text)).text(); }

    /**
     * Says something that nobody need follow, and waits until the server has it, for its request id: {@link #subscribe} shows
     * what comes of it. One after the other is sent: the first may have to make the session that the next one is for.
     */
    public synchronized CompletableFuture<String> send(String text) {
        CompletableFuture<String> before = sending;
        CompletableFuture<String> sent = new CompletableFuture<>();
        sending = sent;
        before.whenComplete((id, error) -> {
            if (!sent.isDone()) {
                send(text, sent);
            }
        });
        return sent;
    }

    /**
     * The events of the runs that begin through this object from now on, whether it is being read yet or not; runs that are at
     * work at the same time come mixed. Only these channels, or all if there are none; the first and the last event of a run,
     * errors and approvals always come. It can be read once, and ends when it is closed.
     */
    public Reading<Event> subscribe(Channel... channels) {
        Subscription subscription = new Subscription(List.of(channels));
        subscriptions.add(subscription);
        return new Reading<>(subscription);
    }

    private RunHandle run(RunRequest request, Consumer<String> onBegun) {
        RunHandle run = client.run(like.toBuilder().mergeFrom(request).build());
        run.session.thenAccept(id -> {
            like = like.toBuilder().setSessionId(id).build();
            subscriptions.forEach(each -> each.add(run));
            onBegun.accept(run.requestId());
        });
        return run;
    }

    private void send(String text, CompletableFuture<String> sent) {
        RunRequest.Builder request = RunwireClient.saying(text).toBuilder();
        request.getOptionsBuilder().setDetachedCancel(true);
        CompletableFuture<?> reading = run(request.build(), sent::complete).result();
        reading.whenComplete((completion, error) -> sent.completeExceptionally(error));
        sent.whenComplete((id, error) -> reading.cancel(false));
    }

    /** The events of several runs. Of each, one is taken off the wire at a time. */
    private final class Subscription extends Source<Event> {
        private final List<Channel> channels;
        private final Set<Source<Event>> open = ConcurrentHashMap.newKeySet();
        private final Queue<Source<Event>> idle = new ConcurrentLinkedQueue<>();

        Subscription(List<Channel> channels) { this.channels = channels; }

        void add(RunHandle run) {
            AttachRequest.Builder request = run.attach.toBuilder();
            request.getStreamBuilder().addAllChannels(channels);
            Source<Event> source = client.attach(request.build()).events().source();
            open.add(source);
            ask(source);
            if (isOver()) {
                cancel();
            }
        }

        @Override void pull() {
            for (Source<Event> source = idle.poll(); source != null; source = idle.poll()) {
                ask(source);
            }
        }

        @Override void cancel() {
            super.cancel();
            subscriptions.remove(this);
            open.forEach(Source::cancel);
        }

        private void ask(Source<Event> source) {
            source.next().whenComplete((event, error) -> {
                if (event != null) {
                    idle.add(source);
                    put(event);
                } else {
                    open.remove(source);
                    if (error != null) {
                        end((RuntimeException) error);
                        cancel();
                    }
                }
            });
        }
    }
}
