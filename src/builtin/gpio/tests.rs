//! The tools over chips in memory.

use super::bank::Bank;
use super::fake::World;
use super::offer;
use crate::approval::{self, Approvals};
use crate::config::{Config, Confirm, Gpio};
use crate::json::Raw;
use crate::limits;
use crate::principal::{Principal, Scopes};
use crate::tool::{Call, Catalog, Change, Changes, Client, Handler, Nobody, Output, Tool, ToolError, Wire, Yield};
use serde_json::{Value, json};
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};

const LAMP: &str = "[gpio.lamp]\nchip = \"gpiochip0\"\nline = 17\ndirection = \"out\"\nsafe = false\n";
const VALVE: &str = "[gpio.valve]\nchip = \"relays\"\nline = \"OPEN\"\ndirection = \"out\"\nsafe = true\nactive_low = true\n";
const DOOR: &str =
    "[gpio.door]\nchip = \"gpiochip0\"\nline = 4\ndirection = \"in\"\nbias = \"pull-up\"\nabout = \"The front door.\"\n";
const LAMP_LINE: &str = "line 17 of gpiochip0";
const VALVE_LINE: &str = "line `OPEN` of relays";
const DOOR_LINE: &str = "line 4 of gpiochip0";

fn gpio(texts: &[&str]) -> Gpio {
    Config::parse(&format!("state = \"/\"\n{}", texts.concat()), Path::new("/perchd.toml")).unwrap().gpio
}

struct Board {
    world: World,
    bank: Rc<Bank>,
    catalog: Catalog,
}

impl Board {
    fn with(texts: &[&str]) -> Self {
        let world = World::default();
        let bank = Rc::new(Bank::of(world.clone()));
        let (gpio, mut catalog) = (gpio(texts), Catalog::default());
        offer(&mut catalog, &gpio, &bank).unwrap();
        bank.hold(&gpio);
        Board { world, bank, catalog }
    }

    async fn call(&self, name: &str, arguments: Value) -> Result<Output, ToolError> {
        let tool = self.catalog.find(name).unwrap();
        let arguments = tool.read(Raw::read(&arguments.to_string()))?;
        let call = Call::new(arguments, Principal::anonymous(Scopes::none()), Client::default(), Wire::new(Nobody));
        let Handler::Local(handler) = tool.handler() else { panic!("it does not block") };
        match handler(call).await? {
            Yield::Output(output) => {
                tool.check(&output)?;
                Ok(output)
            }
            other => panic!("{other:?}"),
        }
    }

    async fn told(&self, name: &str, arguments: Value) -> String {
        match self.call(name, arguments).await {
            Ok(output) => format!("{:?}", output.content().collect::<Vec<_>>()),
            Err(error) => error.to_string(),
        }
    }
}

/// The lamp is being pulsed, and what the call will say.
async fn under_pulse(board: Board) -> (Rc<Board>, tokio::task::JoinHandle<String>) {
    let board = Rc::new(board);
    let pulsed = Rc::clone(&board);
    let pulsing = async move { pulsed.told("pulse_gpio", json!({"line": "lamp", "milliseconds": 100})).await };
    let pulsing = tokio::task::spawn_local(pulsing);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(board.world.is_on(LAMP_LINE));
    (board, pulsing)
}

fn run(test: impl AsyncFnOnce()) {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap().block_on(test());
}

#[test]
fn what_is_out_of_bounds_unknown_or_an_input_is_not_switched() {
    run(async || {
        let board = Board::with(&[LAMP, DOOR]);
        board.world.done();
        for (tool, arguments) in [
            ("write_gpio", json!({"line": "door", "on": true})),
            ("write_gpio", json!({"line": "Lamp", "on": true})),
            ("write_gpio", json!({"line": "lamp"})),
            ("write_gpio", json!({"line": "lamp", "on": 1})),
            ("pulse_gpio", json!({"line": "lamp", "milliseconds": 0})),
            ("pulse_gpio", json!({"line": "lamp", "milliseconds": limits::PULSE_MS + 1})),
            ("pulse_gpio", json!({"line": "door", "milliseconds": 10})),
            ("read_gpio", json!({"line": "17"})),
        ] {
            let told = board.told(tool, arguments.clone()).await;
            assert!(told.starts_with("Argument `"), "{tool} {arguments}: {told}");
        }
        assert_eq!(board.world.done(), [""; 0]);
        let spec = serde_json::to_value(&board.catalog.find("write_gpio").unwrap().spec().args()[0]).unwrap();
        assert_eq!(spec["enum"], json!(["lamp"]));
    });
}

#[test]
fn outputs_are_offered_only_where_there_are_some() {
    run(async || {
        let names = |board: &Board| board.catalog.tools().iter().map(|tool| tool.spec().name().to_owned()).collect::<Vec<_>>();
        assert!(names(&Board::with(&[])).is_empty());
        assert_eq!(names(&Board::with(&[DOOR])), ["read_gpio"]);
        let both = Board::with(&[DOOR, LAMP]);
        assert_eq!(names(&both), ["read_gpio", "write_gpio", "pulse_gpio"]);
        let scopes = both.catalog.scopes();
        let scopes: Vec<_> = scopes.iter().map(|scope| (scope.name.as_str(), scope.is_write)).collect();
        assert_eq!(scopes, [("gpio:read", false), ("gpio:write", true)]);
    });
}

#[test]
fn outputs_are_safe_from_the_start_and_at_the_end() {
    run(async || {
        let board = Board::with(&[LAMP, VALVE]);
        assert_eq!((board.world.is_on(LAMP_LINE), board.world.is_on(VALVE_LINE)), (false, true));
        board.told("write_gpio", json!({"line": "lamp", "on": true})).await;
        board.told("write_gpio", json!({"line": "valve", "on": false})).await;
        assert_eq!((board.world.is_on(LAMP_LINE), board.world.is_on(VALVE_LINE)), (true, false));
        board.bank.close();
        assert_eq!((board.world.is_on(LAMP_LINE), board.world.is_on(VALVE_LINE)), (false, true));
        assert!(board.told("write_gpio", json!({"line": "lamp", "on": true})).await.contains("does not hold"));
        assert!(!board.world.is_on(LAMP_LINE), "nobody switches it after the end");
    });
}

#[test]
fn a_bank_that_is_dropped_leaves_its_lines_safe() {
    run(async || {
        let Board { world, bank, catalog } = Board::with(&[LAMP]);
        bank.switch(&bank.line("lamp").unwrap(), true).unwrap();
        drop((bank, catalog));
        assert!(!world.is_on(LAMP_LINE));
    });
}

#[test]
fn a_line_that_stays_is_not_touched_when_others_come_and_go() {
    run(async || {
        let board = Board::with(&[LAMP, VALVE]);
        board.told("write_gpio", json!({"line": "lamp", "on": true})).await;
        board.told("write_gpio", json!({"line": "valve", "on": false})).await;
        board.world.done();
        let renamed = LAMP.replace("lamp", "light").replace("safe = false", "safe = true");
        board.bank.hold(&gpio(&[DOOR, &renamed]));
        let gone = [format!("switch {VALVE_LINE} true"), format!("give {VALVE_LINE}"), format!("take {DOOR_LINE}")];
        assert_eq!(board.world.done(), gone);
        assert!(board.world.is_on(LAMP_LINE));
        // The same line, used otherwise, is made safe, given back and taken again, in this order.
        board.bank.hold(&gpio(&[&renamed.replace("safe", "active_low = true\nsafe")]));
        let again = [
            format!("give {DOOR_LINE}"),
            format!("switch {LAMP_LINE} true"),
            format!("give {LAMP_LINE}"),
            format!("take {LAMP_LINE}"),
        ];
        let mut done = board.world.done();
        done.sort();
        let mut expected = again.to_vec();
        expected.sort();
        assert_eq!(done, expected);
    });
}

#[test]
fn a_pulse_ends_safe_however_it_ends() {
    run(async || {
        let board = Board::with(&[LAMP, VALVE]);
        for (line, kernel, safe) in [("lamp", LAMP_LINE, false), ("valve", VALVE_LINE, true)] {
            let told = board.told("pulse_gpio", json!({"line": line, "milliseconds": 10})).await;
            assert!(told.contains("was pulsed for 10 ms"), "{told}");
            assert_eq!(board.world.is_on(kernel), safe);
            let mut call = Box::pin(board.call("pulse_gpio", json!({"line": line, "milliseconds": 30_000})));
            let given_up = tokio::time::timeout(Duration::from_millis(10), &mut call).await;
            assert!(given_up.is_err() && board.world.is_on(kernel) != safe, "it is under way");
            let second = board.told("pulse_gpio", json!({"line": line, "milliseconds": 10})).await;
            assert!(second.contains("is being pulsed"), "{second}");
            assert!(board.world.is_on(kernel) != safe, "the second changes nothing");
            drop(call);
            assert_eq!(board.world.is_on(kernel), safe, "a call that is dropped");
        }
    });
}

#[test]
fn who_switches_a_line_in_the_middle_of_a_pulse_has_the_last_word() {
    run(async || {
        let board = Board::with(&[LAMP]);
        let (board, pulsing) = under_pulse(board).await;
        board.told("write_gpio", json!({"line": "lamp", "on": true})).await;
        let pulsed = pulsing.await.unwrap();
        assert!(pulsed.contains("cut short"), "{pulsed}");
        assert!(board.world.is_on(LAMP_LINE));
    });
}

#[test]
fn a_line_that_goes_in_the_middle_of_a_pulse_is_safe_at_once_and_not_taken_again() {
    run(async || {
        let board = Board::with(&[LAMP]);
        let (board, pulsing) = under_pulse(board).await;
        board.world.done();
        board.bank.hold(&Gpio::default());
        assert!(!board.world.is_on(LAMP_LINE));
        let pulsed = pulsing.await.unwrap();
        assert!(pulsed.contains("cut short"), "{pulsed}");
        assert_eq!(board.world.done(), [format!("switch {LAMP_LINE} false"), format!("give {LAMP_LINE}")]);
    });
}

#[test]
fn a_line_that_cannot_be_used_is_told_and_tried_again() {
    run(async || {
        let board = Board::with(&[LAMP, DOOR]);
        board.world.fail(LAMP_LINE, Some("The chip was pulled out."));
        let told = board.told("write_gpio", json!({"line": "lamp", "on": true})).await;
        assert_eq!(told, "The chip was pulled out.");
        let all = board.told("read_gpio", json!({})).await;
        assert!(all.contains("lamp: The chip was pulled out.") && all.contains("door is off"), "{all}");
        assert_eq!(board.told("read_gpio", json!({"line": "lamp"})).await, "The chip was pulled out.");
        board.world.fail(LAMP_LINE, None);
        assert!(board.told("write_gpio", json!({"line": "lamp", "on": true})).await.contains("lamp is on"));
        assert!(board.world.is_on(LAMP_LINE));
    });
}

/// A tool that counts how often it ran, and that a button approves.
fn behind_button(button: &str, approvals: &Rc<Approvals>) -> (Tool, Rc<Cell<u32>>) {
    let ran = Rc::new(Cell::new(0));
    let counted = Rc::clone(&ran);
    let tool = Tool::new("reboot", "Reboots").destroys().handler(move |_| {
        counted.set(counted.get() + 1);
        async { Ok("done") }
    });
    (approval::behind(tool, &Confirm::Button(button.to_owned()), approvals), ran)
}

async fn called(tool: &Tool) -> Result<Yield, ToolError> {
    let call = Call::new(tool.read(None)?, Principal::anonymous(Scopes::none()), Client::default(), Wire::new(Nobody));
    let Handler::Local(handler) = tool.handler() else { panic!("it does not block") };
    handler(call).await
}

#[test]
fn a_call_waits_for_its_button_and_runs_once() {
    run(async || {
        const BELL: &str = "[gpio.bell]\nchip = \"gpiochip0\"\nline = 5\ndirection = \"in\"\n";
        let (board, approvals) = (Board::with(&[]), Rc::<Approvals>::default());
        board.bank.tell(&Changes::new(), &approvals);
        board.bank.hold(&gpio(&[DOOR, BELL]));
        let (tool, ran) = behind_button("door", &approvals);
        let waiting = tokio::task::spawn_local(async move { called(&tool).await.map(drop).map_err(|error| error.to_string()) });
        let other_button = "line 5 of gpiochip0";
        // Another button, and this one let go, approve nothing.
        for _ in 0..4 {
            board.world.press(other_button, true);
            board.world.press(DOOR_LINE, false);
            tokio::time::sleep(Duration::from_millis(limits::PLAN_PRESS_MS / 2)).await;
        }
        assert!(!waiting.is_finished() && ran.get() == 0 && approvals.waiting().len() == 1);
        board.world.press(DOOR_LINE, true);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!(ran.get(), 1);
        board.world.press(DOOR_LINE, true);
        tokio::time::sleep(Duration::from_millis(2 * limits::EDGE_MS)).await;
        assert_eq!((ran.get(), approvals.waiting().len()), (1, 0), "a second press runs nothing");
    });
}

#[test]
fn edges_are_told_of_and_a_bouncing_button_is_few_of_them() {
    run(async || {
        let board = Board::with(&[]);
        let (changes, heard) = (Changes::new(), Rc::new(Cell::new(0)));
        let counted = Rc::clone(&heard);
        changes.connect(move |change| {
            assert_eq!(change, &Change::Resource("gpio://door".to_owned()));
            counted.set(counted.get() + 1);
        });
        board.bank.tell(&changes, &Rc::default());
        board.bank.hold(&gpio(&[DOOR, LAMP]));
        for _ in 0..50 {
            board.world.press(DOOR_LINE, true);
            tokio::task::yield_now().await;
        }
        assert_eq!(heard.get(), 1, "the first is told at once");
        tokio::time::sleep(Duration::from_millis(2 * limits::EDGE_MS)).await;
        assert_eq!(heard.get(), 2, "the others together");
        board.bank.close();
        board.world.press(DOOR_LINE, false);
        tokio::time::sleep(Duration::from_millis(2 * limits::EDGE_MS)).await;
        assert_eq!(heard.get(), 2);
    });
}
