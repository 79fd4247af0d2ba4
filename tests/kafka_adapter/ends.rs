//! Ends of logs, positions, progress partitions, and waking up.

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::ShardNo;
use odrwatch::kafka::{KafkaBroker, read_inputs, read_progress_topic};
use odrwatch::pipeline::ports::{Broker, Ends, InputPartition, SourceError};

use crate::cluster::{
    Cluster, GO_ON, NAP, at, batch, input, partition, read_offsets, read_progress, until,
};
use crate::support::topics::{Ending, OpenTransaction, Record, client, produce_transactional};
use crate::support::{Deadline, STEP_LIMIT};

const ORDERS: InputPartition = InputPartition { topic: Topic::Orders, shard: ShardNo::new(0) };

fn ends_of(worker: &mut KafkaBroker, asked: InputPartition) -> Ends {
    worker.ask_ends(asked.shard, &[asked]);
    until(worker, |worker| {
        let mut answers = Vec::new();
        worker.take_ends(&mut answers);
        answers.into_iter().find(|(answered, _)| *answered == asked).map(|(_, ends)| ends)
    })
}

fn await_ends(worker: &mut KafkaBroker, asked: InputPartition, expected: Ends) {
    let deadline = Deadline::of_step();
    loop {
        let ends = ends_of(worker, asked);
        if ends == expected {
            return;
        }
        deadline.wait(|| format!("{expected:?}; the leader states {ends:?}"));
    }
}

#[test]
fn the_leader_states_ends_around_an_open_transaction() {
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    cluster.produce(ORDERS, 0..10);
    assert_eq!(ends_of(&mut worker, ORDERS), Ends { stable: at(10), high: at(10) });
    let open = OpenTransaction::begin(&cluster.bootstrap(), "importer");
    open.produce(&[input(ORDERS, 10), input(ORDERS, 11)]);
    assert_eq!(ends_of(&mut worker, ORDERS), Ends { stable: at(10), high: at(12) });
    assert_eq!(worker.log_bounds(ORDERS).unwrap(), (at(0), at(10)));
    open.end(Ending::Commit);
    // A commit returns before its markers stand in the partitions.
    await_ends(&mut worker, ORDERS, Ends { stable: at(13), high: at(13) });
}

#[test]
fn a_stopped_broker_states_no_end_though_the_log_looks_read() {
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    cluster.produce(ORDERS, 0..10);
    worker.seek(ORDERS, at(0)).unwrap();
    read_offsets(&mut worker, ORDERS, 10);
    assert!(worker.is_at_log_end(ORDERS));

    cluster.process.pause();
    worker.ask_ends(ORDERS.shard, &[ORDERS]);
    let mut answers = Vec::new();
    // Nothing can be waited for that does not come; a second is many times what an answer takes.
    for _ in 0..20 {
        worker.wait(NAP);
        worker.take_ends(&mut answers);
    }
    assert_eq!(answers, []);
    assert!(worker.is_at_log_end(ORDERS), "what the client remembers is no evidence");

    cluster.process.resume();
    let ends = ends_of(&mut worker, ORDERS);
    assert_eq!(ends, Ends { stable: at(10), high: at(10) });
}

#[test]
fn a_second_question_replaces_the_first_and_each_answer_comes_once() {
    let cluster = Cluster::start(2);
    let mut worker = cluster.sole_worker("host");
    let all: Vec<InputPartition> = Topic::ALL
        .into_iter()
        .flat_map(|topic| (0..2).map(move |shard| partition(topic, shard)))
        .collect();
    worker.ask_ends(ORDERS.shard, &[ORDERS]);
    for number in 0..2 {
        let shard = ShardNo::new(number);
        let of_shard = Topic::ALL.map(|topic| InputPartition { topic, shard });
        worker.ask_ends(shard, &of_shard);
    }
    let mut answers = Vec::new();
    until(&mut worker, |worker| {
        worker.take_ends(&mut answers);
        (answers.len() >= all.len()).then_some(())
    });
    let mut answered: Vec<InputPartition> = answers.iter().map(|(one, _)| *one).collect();
    answered.sort();
    assert_eq!(answered, all);
}

#[test]
fn the_position_reaches_the_end_over_markers_and_aborted_records() {
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    let bootstrap = cluster.bootstrap();
    produce_transactional(&bootstrap, "importer", &[input(ORDERS, 0)], Ending::Commit);
    for number in 1..=5 {
        produce_transactional(&bootstrap, "importer", &[input(ORDERS, number)], Ending::Abort);
    }
    // One record, its marker, five aborted records, their markers.
    let end = at(12);
    worker.seek(ORDERS, at(0)).unwrap();
    assert_eq!(read_offsets(&mut worker, ORDERS, 1), [0]);
    until(&mut worker, |worker| {
        let read = worker.read(ORDERS, 100, &mut |record| panic!("{}", record.offset)).unwrap();
        assert_eq!(read, 0);
        (worker.position(ORDERS) == Some(end)).then_some(())
    });
    assert!(worker.is_at_log_end(ORDERS));
    await_ends(&mut worker, ORDERS, Ends { stable: end, high: end });

    // Started at the end there is nothing to fetch, and the position is where reading began.
    worker.seek(ORDERS, end).unwrap();
    assert_eq!(worker.position(ORDERS), Some(end));
    cluster.produce(ORDERS, 6..7);
    assert_eq!(read_offsets(&mut worker, ORDERS, 1), [12]);
}

#[test]
fn progress_is_read_to_the_end_behind_aborted_transactions() {
    let cluster = Cluster::start(2);
    let mut worker = cluster.sole_worker("host");
    assert_eq!(read_progress(&mut worker, 1), Vec::<String>::new());
    for number in 1..=30 {
        worker.commit(&batch(0, number)).unwrap();
    }
    let dead = Record::new("odr-progress", 0, 0, "key", "dead");
    for _ in 0..20 {
        let records = [dead.clone()];
        produce_transactional(&cluster.bootstrap(), "someone", &records, Ending::Abort);
    }
    cluster.await_settled("odr-progress");
    // What is still open when reading begins is beyond the end.
    let open = OpenTransaction::begin(&cluster.bootstrap(), "another");
    open.produce(&[dead]);
    let expected: Vec<String> = (1..=30).map(|number| i32::to_string(&number)).collect();
    assert_eq!(read_progress(&mut worker, 0), expected);
    assert_eq!(read_progress(&mut worker, 0), expected, "the next call begins anew");
    open.end(Ending::Abort);
}

#[test]
fn a_record_wakes_the_sleeping_worker() {
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    worker.seek(ORDERS, at(0)).unwrap();
    for number in 0..20 {
        // Everything that has arrived is taken, so that the worker may sleep.
        worker.poll_group(&mut Vec::new()).unwrap();
        let read = worker.read(ORDERS, 100, &mut |record| panic!("{}", record.offset)).unwrap();
        assert_eq!(read, 0);
        cluster.produce(ORDERS, number..number + 1);
        let deadline = Deadline::of_step();
        let mut offsets = Vec::new();
        while offsets.is_empty() {
            worker.wait(STEP_LIMIT);
            worker.poll_group(&mut Vec::new()).unwrap();
            worker.read(ORDERS, 100, &mut |record| offsets.push(record.offset.get())).unwrap();
            deadline.wait(|| "a wake-up".to_owned());
        }
        assert_eq!(offsets, [number]);
    }
}

#[test]
fn a_log_that_lost_the_position_stops_its_shard_with_a_remedy() {
    use rdkafka::admin::{AdminClient, AdminOptions};
    use rdkafka::client::DefaultClientContext;
    use rdkafka::{Offset, TopicPartitionList};
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    cluster.produce(ORDERS, 0..20);
    let admin: AdminClient<DefaultClientContext> = client(&cluster.bootstrap()).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("orders", 0, Offset::Offset(15)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(admin.delete_records(&offsets, &AdminOptions::new())).unwrap();

    for from in [5, 21] {
        worker.seek(ORDERS, at(from)).unwrap();
        for _ in 0..2 {
            let error = until(&mut worker, |worker| {
                worker.read(ORDERS, 100, &mut |record| panic!("{}", record.offset)).err()
            });
            let SourceError::Lost(text) = error else { panic!("{error}") };
            assert!(text.contains(&format!("orders-0 does not have offset {from}")), "{text}");
        }
    }
    // Another position cures it.
    worker.seek(ORDERS, at(15)).unwrap();
    assert_eq!(read_offsets(&mut worker, ORDERS, 5), [15, 16, 17, 18, 19]);
}

#[test]
fn whole_topics_are_read_up_to_their_present_ends() {
    let cluster = Cluster::start(2);
    let mut worker = cluster.sole_worker("host");
    for topic in Topic::ALL {
        for shard in 0..2 {
            cluster.produce(partition(topic, shard), 0..300);
        }
    }
    let last = [input(ORDERS, 300)];
    produce_transactional(&cluster.bootstrap(), "importer", &last, Ending::Abort);
    worker.commit(&batch(1, 7)).unwrap();
    cluster.await_settled("orders");
    cluster.await_settled("odr-progress");

    let config = cluster.config("replay");
    let mut read = std::collections::BTreeMap::<_, Vec<i64>>::new();
    let spans = read_inputs(&config, &mut |topic, shard, record| {
        read.entry((topic, shard)).or_default().push(record.offset.get());
        GO_ON
    })
    .unwrap();
    assert_eq!(read.len(), 8);
    assert!(read.values().all(|offsets| offsets.iter().copied().eq(0..300)));
    assert_eq!((spans[0].first, spans[0].end), (at(0), at(302)));

    let mut values = Vec::new();
    read_progress_topic(&config, &mut |shard, value| {
        values.push((shard.get(), value.to_vec()));
        GO_ON
    })
    .unwrap();
    assert_eq!(values, [(1, b"7".to_vec())]);
}
