//! Sums: the tools that demos and benchmarks call, and that show an owner in one step that everything works.

use crate::tool::{Arg, Call, Draft, Output, Tool, ToolError};
use std::fmt::Write;
use std::future::ready;

/// What a token needs for them.
pub(super) const SCOPE: &str = "math";

/// `add` and `calculate`.
pub(super) fn tools() -> Vec<Tool> {
    let add = Tool::new("add", "Adds two numbers.").title("Add");
    let calculate = Tool::new("calculate", "Adds, subtracts, multiplies or divides two numbers.")
        .title("Calculate")
        .arg(Arg::string("operation", "what to do with a and b").one_of(["add", "subtract", "multiply", "divide"]));
    vec![
        with_two_numbers(add).handler(|call| ready(sum(&call))),
        with_two_numbers(calculate).handler(|call| ready(calculation(&call))),
    ]
}

fn with_two_numbers(draft: Draft) -> Draft {
    let schema = written!({
        "type": "object",
        "properties": { "result": { "type": "number" } },
        "required": ["result"],
        "additionalProperties": false
    });
    draft
        .arg(Arg::number("a", "the first number"))
        .arg(Arg::number("b", "the second number"))
        .scope(SCOPE)
        .idempotent()
        .vouched_schema(&schema)
}

fn sum(call: &Call) -> Result<Output, ToolError> {
    output(call.arg::<f64>("a")? + call.arg::<f64>("b")?)
}

fn calculation(call: &Call) -> Result<Output, ToolError> {
    let (a, b) = (call.arg::<f64>("a")?, call.arg::<f64>("b")?);
    match call.arg::<String>("operation")?.as_str() {
        "add" => output(a + b),
        "subtract" => output(a - b),
        "multiply" => output(a * b),
        _ if b == 0.0 => Err(ToolError::new("Nothing can be divided by zero: give a `b` that is not 0.")),
        _ => output(a / b),
    }
}

fn output(result: f64) -> Result<Output, ToolError> {
    if !result.is_finite() {
        return Err(ToolError::new("The result is too large: numbers go up to about 1.8e+308."));
    }
    // What JavaScript writes is JSON: the same number to a program as to a person.
    Ok(Output::number("result", text(result)))
}

/// The number as an integer, where it is one that a float can tell from its neighbours.
fn whole(number: f64) -> Option<i64> {
    // -0 becomes 0 here. Below 2^53 the cast is exact.
    #[allow(clippy::cast_possible_truncation)]
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

/// The number as people and JavaScript write it (ECMA-262, `Number::toString`): `5`, `0.1`, `1e+21`, `1e-7`.
fn text(number: f64) -> String {
    if let Some(whole) = whole(number) {
        return whole.to_string();
    }
    // Rust finds the shortest digits that read back as the same number, as ECMA-262 asks, but lays all of them out: 0.0000001.
    let plain = number.abs().to_string();
    let (before, after) = plain.split_once('.').unwrap_or((&plain, ""));
    let all = [before, after].concat();
    let digits = all.trim_start_matches('0');
    let count = |text: &str| i32::try_from(text.len()).unwrap_or_default();
    let exponent = count(before) - 1 - (count(&all) - count(digits));
    let mut text = if number < 0.0 { "-" } else { "" }.to_owned();
    let first = text.len();
    text.push_str(digits.trim_end_matches('0'));
    place_point(&mut text, first, exponent);
    text
}

/// Puts the point into `text`, which is digits from `first` on and stands for d.ddd times ten to the `exponent`.
fn place_point(text: &mut String, first: usize, exponent: i32) {
    let digits = text.len() - first;
    match (exponent, usize::try_from(exponent)) {
        (_, Ok(before)) if before < 21 => {
            if before + 1 < digits {
                text.insert(first + before + 1, '.');
            } else {
                text.extend(std::iter::repeat_n('0', before + 1 - digits));
            }
        }
        (-6..=-1, _) => {
            let zeros = usize::try_from(-exponent).unwrap_or_default();
            text.insert_str(first, &"0.00000"[..=zeros]);
        }
        _ => {
            if digits > 1 {
                text.insert(first + 1, '.');
            }
            let _ = write!(text, "e{exponent:+}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Raw;
    use crate::principal::{Principal, Scopes};
    use crate::tool::{Client, Content, Handler, Nobody, Wire, Yield};
    use serde_json::json;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// What `name` answers: its text and its structured output.
    #[allow(clippy::needless_pass_by_value)]
    fn call(name: &str, arguments: serde_json::Value) -> Result<(String, String), String> {
        let tool = tools().into_iter().find(|tool| tool.spec().name() == name).unwrap();
        let raw = arguments.to_string();
        let arguments = tool.read(Raw::read(&raw)).map_err(|error| error.to_string())?;
        let call = Call::new(arguments, Principal::anonymous(Scopes::none()), Client::default(), Wire::new(Nobody));
        let Handler::Local(handler) = tool.handler() else { panic!("sums do not block") };
        let Poll::Ready(outcome) = pin!(handler(call)).poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("sums do not wait");
        };
        let Yield::Output(output) = outcome.map_err(|error| error.to_string())? else { panic!("tools yield an output") };
        let [Content::Text(text)] = output.content().collect::<Vec<_>>()[..] else { panic!("one block of text") };
        Ok((text.clone(), output.structured_content().unwrap().into_owned()))
    }

    #[test]
    fn nothing_is_divided_by_zero() {
        for a in [0, 1, -1] {
            for b in [0.0, -0.0] {
                let refusal = call("calculate", json!({"operation": "divide", "a": a, "b": b})).unwrap_err();
                assert_eq!(refusal, "Nothing can be divided by zero: give a `b` that is not 0.");
            }
        }
    }

    #[test]
    fn a_result_beyond_all_numbers_is_refused() {
        let refusal = call("add", json!({"a": 1e308, "b": 1e308})).unwrap_err();
        assert_eq!(refusal, "The result is too large: numbers go up to about 1.8e+308.");
        assert!(call("calculate", json!({"operation": "multiply", "a": -1e200, "b": 1e200})).is_err());
        assert!(call("calculate", json!({"operation": "divide", "a": 1e300, "b": 1e-300})).is_err());
    }

    #[test]
    fn an_unknown_operation_and_a_text_are_refused() {
        assert!(call("calculate", json!({"operation": "power", "a": 2, "b": 3})).is_err());
        assert!(call("add", json!({"a": "2", "b": 3})).is_err());
        assert!(call("add", json!({"a": 2})).is_err());
    }

    #[test]
    fn text_and_structured_output_say_the_same() {
        let both = |text: &str| Ok((text.to_owned(), format!("{{\"result\":{text}}}")));
        assert_eq!(call("add", json!({"a": 2, "b": 3})), both("5"));
        assert_eq!(call("add", json!({"a": 0.1, "b": 0.2})), both("0.30000000000000004"));
        assert_eq!(call("calculate", json!({"operation": "subtract", "a": 2, "b": 3})), both("-1"));
        assert_eq!(call("calculate", json!({"operation": "multiply", "a": -2, "b": 0})), both("0"));
        assert_eq!(call("calculate", json!({"operation": "divide", "a": 1, "b": 8})), both("0.125"));
        assert_eq!(call("calculate", json!({"operation": "divide", "a": 1e21, "b": 1})), both("1e+21"));
    }

    #[test]
    fn numbers_print_as_in_javascript() {
        let expected = [
            (0.0, "0"),
            (-0.0, "0"),
            (5.0, "5"),
            (-5.0, "-5"),
            (0.5, "0.5"),
            (-0.5, "-0.5"),
            (123.456, "123.456"),
            (-123.456, "-123.456"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1.0 / 3.0, "0.3333333333333333"),
            (0.000_001, "0.000001"),
            (0.000_001_5, "0.0000015"),
            (-0.000_001, "-0.000001"),
            (1e-7, "1e-7"),
            (-1.5e-7, "-1.5e-7"),
            (1e20, "100000000000000000000"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e21, "1e+21"),
            (-1e21, "-1e+21"),
            (1.5e21, "1.5e+21"),
            (1e100, "1e+100"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (9_007_199_254_740_994.0, "9007199254740994"),
            (-9_007_199_254_740_992.0, "-9007199254740992"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (5e-324, "5e-324"),
        ];
        for (number, text) in expected {
            assert_eq!(super::text(number), text);
        }
    }

    #[test]
    fn each_number_reads_back_as_itself() {
        let mut bits = 1_u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = f64::from_bits(bits);
            if number.is_finite() {
                assert_eq!(text(number).parse::<f64>().unwrap().to_bits(), number.to_bits(), "{number:e}");
            }
        }
    }
}
