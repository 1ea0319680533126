//! A session to talk in: ask and wait, or send now and listen elsewhere.

use std::pin::Pin;
use std::sync::{Arc, Once, OnceLock};

use futures_util::stream::{self, SelectAll, Stream, StreamExt as _};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, broadcast};
use tonic::Code;

use crate::following::Following;
use crate::v1::{AttachRequest, Channel, Event, RunRequest, SessionKey, StreamOptions};
use crate::{Client, Error, Run};

/// How many runs may begin that a subscriber, which does not read, has not heard of.
const UNHEARD_MAX: usize = 256;

/// A session to talk in.
#[derive(Debug)]
pub struct Conversation {
    client: Client,
    session: SessionKey,
    shared: Arc<Shared>,
    /// One after the other: the first may have to make the session that the next one is for.
    sending: Mutex<()>,
}

#[derive(Debug)]
struct Shared {
    session_id: OnceLock<String>,
    runs: broadcast::Sender<AttachRequest>,
}

/// Tells the conversation once that its run has begun.
#[derive(Debug)]
pub(crate) struct Begun(Arc<Shared>, Once);

impl Begun {
    pub(crate) fn note(&self, run: &AttachRequest, session_id: &str) {
        let _ = self.0.session_id.set(session_id.to_owned());
        // Nobody may have subscribed.
        self.1.call_once(|| drop(self.0.runs.send(run.clone())));
    }
}

impl Conversation {
    pub(crate) fn new(client: Client, session: SessionKey) -> Self {
        let session_id = OnceLock::new();
        if !session.session_id.is_empty() {
            let _ = session_id.set(session.session_id.clone());
        }
        let shared = Arc::new(Shared { session_id, runs: broadcast::channel(UNHEARD_MAX).0 });
        Self { client, session, shared, sending: Mutex::new(()) }
    }

    /// The session's id. Empty until the first run has begun, when the server made none before.
    pub fn session_id(&self) -> &str {
        self.shared.session_id.get().map_or("", String::as_str)
    }

    /// Returns a run of this session, which starts when it is first read.
    pub fn run(&self, request: impl Into<RunRequest>) -> Run {
        let SessionKey { app_name, user_id, .. } = self.session.clone();
        let session_id = self.session_id().to_owned();
        let mut run = self.client.run(RunRequest { app_name, user_id, session_id, ..request.into() });
        run.begun = Some(Arc::new(Begun(self.shared.clone(), Once::new())));
        run
    }

    /// Says something, and returns the answer's text.
    pub async fn chat(&self, request: impl Into<RunRequest>) -> Result<String, Error> {
        self.run(request).text().await
    }

    /// Says something, and returns the run's request id once the server has it. Nobody need follow the run.
    pub async fn send(&self, request: impl Into<RunRequest>) -> Result<String, Error> {
        let mut request = request.into();
        request.options.get_or_insert_default().detached_cancel = true;
        let _turn = self.sending.lock().await;
        let run = self.run(request);
        let mut following = Following::new(run.clone());
        if self.session_id().is_empty() {
            following.next().await?;
        } else {
            following.accepted().await?;
        }
        if let Some(begun) = &run.begun {
            begun.note(&run.attach, self.session_id());
        }
        Ok(run.request_id().to_owned())
    }

    /// Returns the events of all runs that begin through this conversation from now on; those that work at the same
    /// time come mixed. No channels are all of them; the first and the last event of a run, errors and approvals always
    /// come. It ends when the conversation was dropped and its runs have ended.
    pub fn subscribe(&self, channels: &[Channel]) -> impl Stream<Item = Result<Event, Error>> + Send + Unpin + use<> {
        let channels = channels.iter().map(|&channel| channel.into()).collect();
        let subscription = Subscription {
            client: self.client.clone(),
            options: StreamOptions { channels, ..Default::default() },
            begun: self.shared.runs.subscribe(),
            runs: SelectAll::new(),
        };
        Box::pin(stream::try_unfold(subscription, |mut subscription| async move {
            Ok(subscription.next().await?.map(|event| (event, subscription)))
        }))
    }
}

struct Subscription {
    client: Client,
    options: StreamOptions,
    begun: broadcast::Receiver<AttachRequest>,
    runs: SelectAll<Pin<Box<dyn Stream<Item = Result<Event, Error>> + Send>>>,
}

impl Subscription {
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            tokio::select! {
                Some(event) = self.runs.next() => return event.map(Some),
                begun = self.begun.recv() => match begun {
                    Ok(run) => {
                        let run = AttachRequest { after_sequence: 0, stream: Some(self.options.clone()), ..run };
                        self.runs.push(self.client.attach(run).events().boxed());
                    }
                    Err(RecvError::Closed) if self.runs.is_empty() => return Ok(None),
                    Err(RecvError::Closed) => return self.runs.next().await.transpose(),
                    Err(RecvError::Lagged(_)) => {
                        let message = format!("more than {UNHEARD_MAX} runs began, and nobody read what they do");
                        return Err(Error::call(Code::ResourceExhausted, message));
                    }
                },
            }
        }
    }
}
