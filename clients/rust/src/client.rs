//! The connection, the calls that answer at once, and where runs begin.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tonic::service::{Interceptor, interceptor::InterceptedService};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, GrpcMethod, Request, Response, Status};
use uuid::Uuid;

use crate::following::delay;
use crate::v1::agent_service_client::AgentServiceClient;
use crate::v1::runner_service_client::RunnerServiceClient;
use crate::v1::session_service_client::SessionServiceClient;
use crate::v1::{AttachRequest, CancelRequest, CancelResponse, Message, RunRequest, SessionKey};
use crate::{Conversation, Error, Run};

/// What the stubs of a client send their calls through.
pub type Service = InterceptedService<Channel, Timeout>;

const TRIES_MAX: u32 = 4;
const TRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// A connection to a server. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) channel: Channel,
    timeout: Duration,
}

impl Client {
    /// Returns a client of `target`: `host:port` without TLS, or a URI. It connects when it is first used, and again
    /// whenever the connection was lost. To be called within a tokio runtime.
    pub fn new(target: &str) -> Result<Self, Error> {
        let uri = if target.contains("://") { target.to_owned() } else { format!("http://{target}") };
        let endpoint = Endpoint::from_shared(uri)
            .map_err(|error| Error::call(Code::InvalidArgument, format!("{target:?} is no target: {error}")))?;
        Ok(Self::with_endpoint(endpoint))
    }

    /// Returns a client of an endpoint of yours, which may have TLS; keepalive and flow control are set here.
    pub fn with_endpoint(endpoint: Endpoint) -> Self {
        let endpoint = endpoint
            .connect_timeout(Duration::from_secs(20))
            .http2_keep_alive_interval(Duration::from_secs(60))
            .keep_alive_timeout(Duration::from_secs(20))
            // A reader that pauses fills its own stream's window; a hundred of them do not fill the connection's.
            .initial_stream_window_size(256 * 1024)
            .initial_connection_window_size(32 * 1024 * 1024);
        Self { channel: endpoint.connect_lazy(), timeout: Duration::from_secs(30) }
    }

    /// Returns the client with another timeout for calls that answer at once, which is 30 s otherwise.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Returns the stub of the calls about runs. Its errors become [`Error`] by `?`.
    pub fn runner(&self) -> RunnerServiceClient<Service> {
        RunnerServiceClient::with_interceptor(self.channel.clone(), Timeout(self.timeout))
    }

    /// Returns the stub of the calls about sessions and their state.
    pub fn sessions(&self) -> SessionServiceClient<Service> {
        SessionServiceClient::with_interceptor(self.channel.clone(), Timeout(self.timeout))
    }

    /// Returns the stub of the calls about agents and the server.
    pub fn agents(&self) -> AgentServiceClient<Service> {
        AgentServiceClient::with_interceptor(self.channel.clone(), Timeout(self.timeout))
    }

    /// Makes a call that may be repeated (all but those that create, append or enqueue): up to 4 times in all, on
    /// UNAVAILABLE, within the timeout. `client.call(request, async |r| client.sessions().get_session(r).await)`
    pub async fn call<T: Clone, R>(
        &self,
        request: T,
        method: impl AsyncFn(Request<T>) -> Result<Response<R>, Status>,
    ) -> Result<R, Error> {
        let deadline = Instant::now() + self.timeout;
        let mut tries = 0;
        loop {
            let mut request = Request::new(request.clone());
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
            let error = match timeout_at(deadline, method(request)).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => Error::from(status),
                Err(_) => Error::call(Code::DeadlineExceeded, "there was no answer in time"),
            };
            tries += 1;
            match &error {
                Error::Call(call) if call.code == Code::Unavailable && tries < TRIES_MAX => {
                    sleep(delay(tries - 1, TRY_DELAY_MAX)).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Returns a run, which starts when it is first read. Without a request id it gets one here.
    pub fn run(&self, request: impl Into<RunRequest>) -> Run {
        let mut request = request.into();
        if request.request_id.is_empty() {
            request.request_id = Uuid::new_v4().to_string();
        }
        Run::started_by(self.clone(), request)
    }

    /// Returns a run that is there, to follow it after a sequence.
    pub fn attach(&self, request: AttachRequest) -> Run {
        Run::attached(self.clone(), request)
    }

    /// Runs, waits, and returns the text of the last message.
    pub async fn chat(&self, request: impl Into<RunRequest>) -> Result<String, Error> {
        self.run(request).text().await
    }

    /// Asks a run to stop.
    pub async fn cancel(&self, request: CancelRequest) -> Result<CancelResponse, Error> {
        let wait = request.wait.and_then(|wait| Duration::try_from(wait).ok()).unwrap_or_default();
        let waiting = self.with_timeout(self.timeout + wait);
        waiting.call(request, async |request| waiting.runner().cancel(request).await).await
    }

    /// Returns a conversation in a session. Without a session id the server makes a session for its first run.
    pub fn conversation(&self, session: SessionKey) -> Conversation {
        Conversation::new(self.clone(), session)
    }
}

/// Gives every call that answers at once a timeout, unless it has one.
#[derive(Clone, Debug)]
pub struct Timeout(Duration);

impl Interceptor for Timeout {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let method = request.extensions().get::<GrpcMethod<'static>>().map_or("", GrpcMethod::method);
        if !matches!(method, "Run" | "Attach") && !request.metadata().contains_key("grpc-timeout") {
            request.set_timeout(self.0);
        }
        Ok(request)
    }
}

impl From<&str> for RunRequest {
    fn from(text: &str) -> Self {
        let message = Message { content: text.to_owned(), ..Default::default() };
        RunRequest { message: Some(message), ..Default::default() }
    }
}
