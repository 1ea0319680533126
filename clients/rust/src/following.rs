//! One run's events over as many calls as it takes: reconnects by itself.

use std::time::Duration;

use async_stream::try_stream;
use futures_util::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use tokio::time::sleep;
use tonic::{Code, Request, Response, Status};

use crate::v1::{Event, event::Payload, runner_service_client::RunnerServiceClient};
use crate::{Error, Run, errors::code};

type Events = BoxStream<'static, Result<Event, Status>>;

/// How often a stream may break between two events that arrive; how often when the server was never reached.
const BREAKS_MAX: u32 = 8;
const FIRST_BREAKS_MAX: u32 = 3;

/// Yields what is left of the run, to its completion; none for: the server has it, and nothing else happened.
pub(crate) fn follow(mut run: Run) -> impl Stream<Item = Result<Option<Event>, Error>> + Send {
    let (mut breaks, mut was_reached, mut has_event) = (0, false, false);
    try_stream! {
        loop {
            let (mut named, mut has_news) = (None::<Duration>, false);
            let broken = match open(&run, has_event).await {
                Ok(mut response) => loop {
                    if !was_reached && response.metadata().contains_key("x-request-id") {
                        was_reached = true;
                        yield None;
                    }
                    match response.get_mut().try_next().await {
                        Ok(Some(event)) => {
                            run.attach.after_sequence = run.attach.after_sequence.max(event.sequence);
                            match &event.payload {
                                Some(Payload::CaughtUp(_)) => continue,
                                Some(Payload::Reconnect(it)) => {
                                    named = Some(it.delay.and_then(|it| it.try_into().ok()).unwrap_or_default());
                                    break Status::unavailable("the server sends its readers away");
                                }
                                Some(Payload::RunStarted(it)) => (run.on_started)(it),
                                _ => {}
                            }
                            (breaks, was_reached, has_event, has_news) = (0, true, true, true);
                            let is_last = matches!(event.payload, Some(Payload::Completion(_)));
                            yield Some(event).filter(|it| !matches!(it.payload, Some(Payload::Heartbeat(_))));
                            if is_last { return }
                        }
                        // The reading began behind the completion.
                        Ok(None) if !has_news => return,
                        Ok(None) => break Status::unavailable("the stream ended before the run"),
                        Err(status) => break status,
                    }
                },
                Err(status) => status,
            };
            breaks += 1;
            if breaks >= if was_reached { BREAKS_MAX } else { FIRST_BREAKS_MAX } || is_final(&broken, has_event) {
                Err(broken)?;
            } else {
                // Not before the first try after the server asked for it.
                sleep(named.unwrap_or_default() + delay(breaks - u32::from(named.is_some()))).await;
            }
        }
    }
}

async fn open(run: &Run, has_event: bool) -> Result<Response<Events>, Status> {
    let mut runner = RunnerServiceClient::new(run.client.service());
    match &run.start {
        // A Run may always be repeated: the same request id joins the run that is there.
        Some(start) if !has_event => {
            let mut request = Request::new(start.as_ref().clone());
            run.deadline.inspect(|deadline| request.set_timeout(*deadline));
            Ok(runner.run(request).await?.map(|it| it.map_ok(|it| it.event.unwrap_or_default()).boxed()))
        }
        // No deadline: it would end the stream, not the run, which has its own.
        _ => {
            Ok(runner.attach(run.attach.clone()).await?.map(|it| it.map_ok(|it| it.event.unwrap_or_default()).boxed()))
        }
    }
}

/// Whether it is the server's word, not a connection that broke.
fn is_final(status: &Status, has_event: bool) -> bool {
    match code(status) {
        Code::Unavailable => false,
        // After an event the run has ended by it, and its completion is in the log.
        Code::DeadlineExceeded if !has_event => true,
        Code::Internal | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded => !status.details().is_empty(),
        _ => true,
    }
}

/// Returns how long to wait after so many tries in vain: exponential, with jitter.
pub(crate) fn delay(tries: u32) -> Duration {
    let longest = Duration::from_millis(if tries == 0 { 0 } else { 100 << tries.min(16) });
    longest.min(Duration::from_secs(5)).mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}
