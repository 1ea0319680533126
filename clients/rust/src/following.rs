//! One run's events over as many calls as it takes: reconnects by itself.

use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, Request, Status};

use crate::v1::event::Payload;
use crate::v1::runner_service_client::RunnerServiceClient;
use crate::v1::{AttachRequest, Event};
use crate::{Error, Run, errors};

/// How often a stream may break between two events that arrive.
const BREAKS_MAX: u32 = 8;
/// A server that was never reached is more likely not there than gone for a moment.
const FIRST_BREAKS_MAX: u32 = 3;
const DELAY_MAX: Duration = Duration::from_secs(5);

/// One reading of a run. To drop it cancels the call.
pub(crate) struct Following {
    run: Run,
    /// Its `after_sequence` is where the reading stands.
    attach: AttachRequest,
    deadline: Option<Instant>,
    stream: Option<BoxStream<'static, Result<Option<Event>, Status>>>,
    /// When the call that is open ends by itself.
    stream_deadline: Option<Instant>,
    /// Whether the call that is open brought anything.
    has_news: bool,
    was_reached: bool,
    has_event: bool,
    has_ended: bool,
    /// How often the stream broke since the last event.
    breaks: u32,
}

impl Following {
    pub(crate) fn new(run: Run) -> Self {
        Self {
            attach: run.attach.clone(),
            deadline: run.deadline.map(|deadline| Instant::now() + deadline),
            run,
            stream: None,
            stream_deadline: None,
            has_news: false,
            was_reached: false,
            has_event: false,
            has_ended: false,
            breaks: 0,
        }
    }

    /// Returns the next event; none after the completion, or when the reading began behind it.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Error> {
        while !self.has_ended {
            match self.receive().await {
                Ok(Some(event)) => {
                    self.note(&event);
                    match event.payload {
                        Some(Payload::CaughtUp(_) | Payload::Heartbeat(_)) => {}
                        Some(Payload::Reconnect(reconnect)) => {
                            let named = reconnect.delay.and_then(|named| Duration::try_from(named).ok());
                            let status = Status::unavailable("the server sends its readers away");
                            self.pause(status, Some(named.unwrap_or_default())).await?;
                        }
                        _ => return Ok(Some(event)),
                    }
                }
                Ok(None) if !self.has_news => self.has_ended = true,
                Ok(None) => self.pause(Status::unavailable("the stream ended before the run"), None).await?,
                Err(status) => self.pause(status, None).await?,
            }
        }
        Ok(None)
    }

    /// Waits until the server has the run, though others of its session may be before it.
    pub(crate) async fn accepted(&mut self) -> Result<(), Error> {
        loop {
            match self.open().await {
                Ok(true) => return Ok(()),
                Ok(false) => return self.next().await.map(drop),
                Err(status) => self.pause(status, None).await?,
            }
        }
    }

    /// Returns the next event of the call that is open, else of a new one; none when the server has ended it.
    async fn receive(&mut self) -> Result<Option<Event>, Status> {
        loop {
            if let Some(stream) = &mut self.stream {
                match within(self.stream_deadline, stream.try_next()).await? {
                    // A response without event is none that this client knows.
                    Some(None) => {}
                    other => return Ok(other.flatten()),
                }
            } else {
                self.open().await?;
            }
        }
    }

    /// Opens a call. Returns whether the server says that it has the run.
    async fn open(&mut self) -> Result<bool, Status> {
        let mut runner = RunnerServiceClient::new(self.run.client.channel.clone());
        self.has_news = false;
        let metadata;
        // A Run may always be repeated: the same request id joins the run that is there.
        if let (Some(start), false) = (&self.run.start, self.has_event) {
            let mut request = Request::new(start.as_ref().clone());
            if let Some(deadline) = self.deadline {
                request.set_timeout(deadline.saturating_duration_since(Instant::now()));
            }
            let response = within(self.deadline, runner.run(request)).await?;
            let (head, stream, _) = response.into_parts();
            metadata = head;
            self.stream_deadline = self.deadline;
            self.stream = Some(stream.map_ok(|response| response.event).boxed());
        } else {
            // No deadline: it would end the stream, not the run, which has its own.
            let (head, stream, _) = runner.attach(self.attach.clone()).await?.into_parts();
            metadata = head;
            self.stream_deadline = None;
            self.stream = Some(stream.map_ok(|response| response.event).boxed());
        }
        self.was_reached = true;
        Ok(metadata.contains_key("x-request-id"))
    }

    fn note(&mut self, event: &Event) {
        self.has_event = true;
        self.attach.after_sequence = self.attach.after_sequence.max(event.sequence);
        match &event.payload {
            Some(Payload::CaughtUp(_) | Payload::Reconnect(_)) => return,
            Some(Payload::RunStarted(started)) => self.run.note_started(started),
            Some(Payload::Completion(_)) => {
                self.has_ended = true;
                self.stream = None;
            }
            _ => {}
        }
        self.has_news = true;
        self.breaks = 0;
    }

    /// Takes a break of the stream, and waits before the next try. `named`: the server asked for it, with this delay.
    async fn pause(&mut self, status: Status, named: Option<Duration>) -> Result<(), Error> {
        self.stream = None;
        let series = match named {
            Some(named) if self.breaks == 0 => named,
            Some(named) => named + delay(self.breaks, DELAY_MAX),
            None => delay(self.breaks + 1, DELAY_MAX),
        };
        self.breaks += 1;
        let breaks_max = if self.was_reached { BREAKS_MAX } else { FIRST_BREAKS_MAX };
        if self.breaks >= breaks_max || self.is_final(&status) {
            self.has_ended = true;
            return Err(status.into());
        }
        sleep(series).await;
        Ok(())
    }

    /// Whether it is the server's word, not a connection that broke.
    fn is_final(&self, status: &Status) -> bool {
        match errors::code(status) {
            Code::Unavailable => false,
            Code::Internal | Code::Unknown | Code::Cancelled => !status.details().is_empty(),
            // The run has ended by it, and its completion is in the log.
            Code::DeadlineExceeded => !self.has_event || !status.details().is_empty(),
            _ => true,
        }
    }
}

/// Returns how long to wait after so many tries in vain: exponential, with jitter.
pub(crate) fn delay(tries: u32, delay_max: Duration) -> Duration {
    let longest = (Duration::from_millis(100) * 2u32.pow(tries.min(16))).min(delay_max);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

async fn within<T>(deadline: Option<Instant>, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    match deadline {
        Some(deadline) => timeout_at(deadline, call)
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("the deadline of the run has passed"))),
        None => call.await,
    }
}
