//! Tests timers, stop, stalls and wake-ups in the simulated runtime. It opens no socket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use posthouse_protocols::runtime::{Either, select, sim, sleep, stopping, timeout, yield_now};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn timers_fire_in_order_and_time_is_simulated() {
    let started = std::time::Instant::now();
    let order = sim::run_alone(|net| async move {
        let order = Rc::new(RefCell::new(Vec::new()));
        for seconds in [30, 10, 20, 10, 3600] {
            let order = order.clone();
            net.spawn(async move {
                sleep(seconds * SECOND).await;
                order.borrow_mut().push(seconds);
            });
        }
        let begin = net.now();
        assert_eq!(timeout(SECOND, sleep(2 * SECOND)).await, None);
        assert_eq!(timeout(2 * SECOND, sleep(SECOND)).await, Some(()));
        assert_eq!(net.now() - begin, 2 * SECOND);
        sleep(4000 * SECOND).await;
        order.take()
    });
    assert_eq!(order, [10, 10, 20, 30, 3600]);
    assert!(started.elapsed() < 5 * SECOND);
}

#[test]
fn a_stop_reaches_those_who_wait_and_those_who_come_later() {
    sim::run_alone(|net| async move {
        let stopper = net.clone();
        net.spawn(async move {
            sleep(SECOND).await;
            stopper.stop();
        });
        assert!(!stopping().is_set());
        let first = select(stopping().wait(), sleep(2 * SECOND)).await;
        assert_eq!(first, Either::Left(()));
        assert!(stopping().is_set());
        stopping().wait().await;
    });
}

#[test]
fn a_client_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
    sim::run_alone(|net| async move {
        let (mut stream, mut client) = net.pair();
        stream.set_stall(10 * SECOND);
        let slow = vec![b'x'; 500_000];
        stream.output().extend_from_slice(&slow);
        net.spawn(async move {
            for _ in 0..8 {
                sleep(9 * SECOND).await;
                client.read().await;
            }
            client.stall(true);
            sleep(1000 * SECOND).await;
        });
        stream.flush().await.expect("a slow client is served");
        stream.output().extend_from_slice(&slow);
        let error = stream.flush().await.expect_err("a stalled client is given up");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_fill_that_is_given_up_loses_no_byte() {
    sim::run_alone(|net| async move {
        let (mut stream, mut client) = net.pair();
        assert_eq!(timeout(SECOND, stream.fill()).await.map(Result::ok), None);
        client.write(b"after").await;
        stream.fill().await.expect("bytes are there");
        assert_eq!(stream.buffered(), b"after");
        stream.consume(2);
        assert_eq!(stream.input(), b"ter");
        client.shutdown();
        assert_eq!(stream.fill().await.ok(), Some(0));
        stream.output().extend_from_slice(b"bye");
        stream.close().await;
        assert_eq!(client.read_to_end().await, b"bye");
    });
}

/// Ready when another thread says so, after `delay` of real time.
async fn by_another_thread(delay: Duration) {
    let shared: Arc<Mutex<(bool, Option<Waker>)>> = Arc::default();
    let engine = shared.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(delay);
        let mut state = engine.lock().expect("nobody panics holding it");
        state.0 = true;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    });
    poll_fn(|cx| {
        let mut state = shared.lock().expect("nobody panics holding it");
        state.1 = Some(cx.waker().clone());
        if state.0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    thread.join().expect("the thread ends");
}

#[test]
fn other_threads_wake_a_simulated_session() {
    sim::run(|_net| async {
        // An idle timer is set meanwhile and must not win against the real work.
        let work = by_another_thread(Duration::from_millis(20));
        assert!(timeout(60 * SECOND, work).await.is_some());
        yield_now().await;
    });
}

#[test]
fn a_timer_that_is_given_up_is_gone() {
    sim::run_alone(|net| async move {
        let begin = net.now();
        assert_eq!(timeout(SECOND, sleep(3600 * SECOND)).await, None);
        // With no timer left nothing moves the simulated time while another thread works.
        by_another_thread(Duration::from_millis(50)).await;
        assert_eq!(net.now() - begin, SECOND);
    });
}

#[test]
#[should_panic(expected = "seen by the test")]
fn a_panic_in_a_session_fails_the_test() {
    sim::run_alone(|net| async move {
        net.spawn(async { panic!("seen by the test") });
        sleep(SECOND).await;
    });
}
