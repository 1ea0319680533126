//! How a run is read: by one or many at a time, each in the way that the command names.

use futures_util::future::try_join_all;
use futures_util::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use runwire::{Error, MessageStream, Run};
use serde_json::{Value, json};

use crate::{Failure, encoded, say, text};

pub(crate) async fn read(run: Run, command: &Value) -> Result<Value, Failure> {
    let way = text(command, "read");
    let cancel_after = command["cancel_after"].as_u64();
    let readers = command["readers"].as_u64();
    let each = (0..readers.unwrap_or(1)).map(|reader| {
        let label = readers.is_some().then_some(reader);
        read_once(&run, &way, cancel_after, label)
    });
    Ok(try_join_all(each).await?.swap_remove(0))
}

async fn read_once(run: &Run, way: &str, cancel_after: Option<u64>, reader: Option<u64>) -> Result<Value, Failure> {
    if way == "text" {
        return Ok(json!({"text": run.text().await?}));
    }
    let mut items = items(run, way)?;
    let mut count = 0;
    while cancel_after != Some(count) {
        let Some(mut item) = items.try_next().await? else { return Ok(json!({})) };
        if let Some(reader) = reader {
            item["reader"] = json!(reader);
        }
        say(&item);
        count += 1;
    }
    // To drop what is read is Rust's way to cancel.
    drop(items);
    Err(Failure::Cancelled)
}

fn items(run: &Run, way: &str) -> Result<BoxStream<'static, Result<Value, Failure>>, Failure> {
    Ok(match way {
        "events" => boxed(run.events(), |event| json!({"event": encoded(&event)})),
        "deltas" => boxed(run.deltas(), |piece| json!({"piece": piece})),
        "messages" => boxed(run.messages(), |message| json!({"message": encoded(&message)})),
        "message_streams" => run.message_streams().err_into().and_then(async |stream| whole(&stream).await).boxed(),
        "message_streams_late" => late(run.clone()),
        other => return Err(Failure::Bug(format!("no such way to read: {other}"))),
    })
}

fn boxed<T: 'static>(
    items: impl Stream<Item = Result<T, Error>> + Send + 'static,
    shown: impl Fn(T) -> Value + Send + 'static,
) -> BoxStream<'static, Result<Value, Failure>> {
    items.map_ok(shown).err_into().boxed()
}

/// Takes all streams first; then reads each twice, the second time for the item.
fn late(run: Run) -> BoxStream<'static, Result<Value, Failure>> {
    let all = async move {
        let (mut streams, mut items) = (run.message_streams(), Vec::new());
        let ending = loop {
            match streams.try_next().await {
                Ok(Some(stream)) => items.push(Ok(stream)),
                Ok(None) => break None,
                Err(error) => break Some(Err(error)),
            }
        };
        futures_util::stream::iter(items.into_iter().chain(ending))
    };
    let streams = futures_util::stream::once(all).flatten();
    streams
        .err_into()
        .and_then(async |stream| {
            whole(&stream).await?;
            whole(&stream).await
        })
        .boxed()
}

async fn whole(stream: &MessageStream) -> Result<Value, Failure> {
    let pieces: Vec<String> = stream.pieces().try_collect().await?;
    let message = stream.message().await?;
    Ok(json!({"stream": {"message_id": stream.message_id, "pieces": pieces, "message": encoded(&message)}}))
}
