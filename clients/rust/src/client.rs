//! The connection, and where runs begin: one by one, or in conversations.

use std::sync::{Arc, Once, OnceLock};
use std::{pin::pin, time::Duration};

use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use tokio::sync::{Mutex, broadcast};
use tokio::time::sleep;
use tonic::{Code, GrpcMethod, Request, Response, service::interceptor::InterceptedService, transport};

use crate::following::{delay, follow};
use crate::v1::{AttachRequest, Channel, Event, Message, RunRequest, RunStarted, SessionKey, StreamOptions};
use crate::{Error, Run, errors::code};

/// What stubs send their calls through.
pub type Service = InterceptedService<transport::Channel, fn(Request<()>) -> tonic::Result<Request<()>>>;

/// A connection to a server. Clones share it.
#[derive(Clone, Debug)]
pub struct Client(transport::Channel);

impl Client {
    /// Returns a client of an endpoint, which may have TLS; keepalive and flow control are set here. It connects when it
    /// is first used, and again whenever the connection was lost. To be called within a tokio runtime.
    pub fn new(endpoint: transport::Endpoint) -> Self {
        let endpoint = endpoint.http2_keep_alive_interval(Duration::from_secs(60));
        let endpoint = endpoint.keep_alive_timeout(Duration::from_secs(20)).connect_timeout(Duration::from_secs(20));
        // A reader that pauses fills its own stream's window; a hundred of them do not fill the connection's.
        let endpoint = endpoint.initial_stream_window_size(256 * 1024).initial_connection_window_size(32 * 1024 * 1024);
        Self(endpoint.connect_lazy())
    }

    /// Returns what a stub is made with: `SessionServiceClient::new(client.service())`. Its calls that answer at once
    /// have a timeout of 30 s, unless their request has one. Its errors become [`Error`] by `?`.
    pub fn service(&self) -> Service {
        InterceptedService::new(self.0.clone(), in_time)
    }

    /// Returns a run, which starts when it is first read. Without a request id it gets one here.
    pub fn run(&self, request: impl Into<RunRequest>) -> Run {
        let mut request = request.into();
        if request.request_id.is_empty() {
            request.request_id = uuid::Uuid::new_v4().to_string();
        }
        let RunRequest { app_name, request_id, stream, .. } = request.clone();
        let run = self.attach(AttachRequest { app_name, request_id, after_sequence: 0, stream });
        Run { start: Some(request.into()), ..run }
    }

    /// Returns a run that is there, to follow it after a sequence.
    pub fn attach(&self, attach: AttachRequest) -> Run {
        Run { client: self.clone(), start: None, attach, deadline: None, on_started: Arc::new(|_| ()) }
    }

    /// Runs, waits, and returns the text of the last message.
    pub async fn chat(&self, request: impl Into<RunRequest>) -> Result<String, Error> {
        self.run(request).text().await
    }

    /// Returns a conversation in a session. Without a session id the server makes one for its first run.
    pub fn conversation(&self, session: SessionKey) -> Conversation {
        let (begun, _) = broadcast::channel(1024);
        Conversation { client: self.clone(), session, made: Arc::default(), begun, sending: Mutex::new(()) }
    }
}

/// A session to talk in.
#[derive(Debug)]
pub struct Conversation {
    client: Client,
    session: SessionKey,
    /// The session that the server made.
    made: Arc<OnceLock<String>>,
    begun: broadcast::Sender<AttachRequest>,
    /// One after the other: the first may have to make the session that the next one is for.
    sending: Mutex<()>,
}

impl Conversation {
    /// Returns the session's id. Empty until the first run has begun, when there was none before.
    pub fn session_id(&self) -> &str {
        self.made.get().unwrap_or(&self.session.session_id)
    }

    /// Returns a run of this session, which starts when it is first read.
    pub fn run(&self, request: impl Into<RunRequest>) -> Run {
        let SessionKey { app_name, user_id, .. } = self.session.clone();
        let session_id = self.session_id().to_owned();
        let run = self.client.run(RunRequest { app_name, user_id, session_id, ..request.into() });
        let (made, begun, attach, once) = (self.made.clone(), self.begun.clone(), run.attach.clone(), Once::new());
        let on_started = move |started: &RunStarted| {
            let session = started.run.as_ref().and_then(|run| run.session.as_ref());
            session.map(|session| made.get_or_init(|| session.session_id.clone()));
            // Nobody may have subscribed.
            once.call_once(|| drop(begun.send(attach.clone())));
        };
        Run { on_started: Arc::new(on_started), ..run }
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
        let mut steps = pin!(follow(run.clone()));
        // Without a session, run_started says which one the server made.
        while matches!(steps.try_next().await?, Some(None)) && self.session_id().is_empty() {}
        (run.on_started)(&RunStarted::default());
        Ok(run.request_id().to_owned())
    }

    /// Returns the events of all runs that begin through this conversation from now on, mixed; of some channels, or of
    /// all when none is named. It ends with the last run when the conversation was dropped, or 1024 began unheard.
    pub fn subscribe(&self, channels: &[Channel]) -> impl Stream<Item = Result<Event, Error>> + Send + Unpin + use<> {
        let channels = channels.iter().map(|&channel| channel.into()).collect();
        let (client, options) = (self.client.clone(), StreamOptions { channels, ..Default::default() });
        let begun = stream::unfold(self.begun.subscribe(), async |mut begun| Some((begun.recv().await.ok()?, begun)));
        let events = move |run| client.attach(AttachRequest { stream: Some(options.clone()), ..run }).events();
        Box::pin(begun.map(events).flatten_unordered(None))
    }
}

/// Makes a call that may be repeated (service_config.json lists them): up to 4 times in all, on UNAVAILABLE.
pub async fn retry<T: Clone, R>(request: T, call: impl AsyncFn(T) -> tonic::Result<Response<R>>) -> Result<R, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        match call(request.clone()).await {
            Err(status) if code(&status) == Code::Unavailable && tries < 4 => sleep(delay(tries) / 2).await,
            answer => return Ok(answer?.into_inner()),
        }
    }
}

fn in_time(mut request: Request<()>) -> tonic::Result<Request<()>> {
    let method = request.extensions().get::<GrpcMethod<'static>>().map_or("", GrpcMethod::method);
    if !matches!(method, "Run" | "Attach") && !request.metadata().contains_key("grpc-timeout") {
        request.set_timeout(Duration::from_secs(30));
    }
    Ok(request)
}

impl From<&str> for RunRequest {
    fn from(text: &str) -> Self {
        RunRequest { message: Some(Message { content: text.to_owned(), ..Default::default() }), ..Default::default() }
    }
}
