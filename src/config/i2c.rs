//! Registers of I2C devices, as the owner names them.

use super::file::{DeviceTable, Placed, RegisterTable};
use super::read::Source;
use super::tree::Named;
use crate::error::Error;
use crate::limits;

/// A device whose registers can be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    pub(crate) name: String,
    pub(crate) about: Option<String>,
    /// The number of the bus: 1 is `/dev/i2c-1`.
    pub(crate) bus: u32,
    pub(crate) address: u8,
    pub(crate) registers: Vec<Register>,
}

/// One value of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Register {
    pub(crate) name: String,
    pub(crate) number: u8,
    /// How many bytes it has: 1 to 4.
    pub(crate) bytes: u32,
    pub(crate) is_signed: bool,
    pub(crate) is_little: bool,
    pub(crate) scale: f64,
    pub(crate) offset: f64,
    pub(crate) unit: Option<String>,
}

impl Source<'_> {
    pub(super) fn i2c(&self, tables: &Named<DeviceTable>) -> Result<Vec<Device>, Error> {
        if let Some((name, _)) = tables.0.get(limits::I2C_DEVICES) {
            let what = format!("there are more than {} devices", limits::I2C_DEVICES);
            return Err(self.fault(name.span(), what, "A model chooses badly among more: leave some out."));
        }
        tables.0.iter().map(|(name, table)| self.device(name, table)).collect()
    }

    fn device(&self, name: &Placed<String>, table: &DeviceTable) -> Result<Device, Error> {
        let registers = &table.registers.0;
        if registers.is_empty() {
            let remedy = "Name one: registers.temperature = { register = 0x00, bytes = 2 }";
            return Err(self.fault(name.span(), "there is no register to read", remedy));
        }
        if let Some((name, _)) = registers.get(limits::I2C_REGISTERS) {
            let what = format!("there are more than {} registers", limits::I2C_REGISTERS);
            return Err(self.fault(name.span(), what, "Each is a program that runs: leave some out."));
        }
        // Below and above are addresses that the bus has uses of its own for (I2C-bus specification, 3.1.12).
        let address = self.within(&table.address, 0x08, 0x77, "the address of a device is between 0x08 and 0x77")?;
        Ok(Device {
            name: self.checked(name, value_name)?,
            about: table.about.as_ref().map(|about| about.get_ref().clone()),
            bus: self.within(&table.bus, 0, 255, "a bus is a number, such as 1 for /dev/i2c-1")?,
            address: u8::try_from(address).unwrap_or_default(),
            registers: registers.iter().map(|(name, table)| self.register(name, table)).collect::<Result<_, _>>()?,
        })
    }

    fn register(&self, name: &Placed<String>, table: &RegisterTable) -> Result<Register, Error> {
        let register = self.within(&table.register, 0, 255, "a register is a number between 0x00 and 0xff")?;
        let bytes = table.bytes.as_ref().map_or(Ok(1), |bytes| self.within(bytes, 1, 4, "a register has 1 to 4 bytes"))?;
        Ok(Register {
            name: self.checked(name, value_name)?,
            number: u8::try_from(register).unwrap_or_default(),
            bytes,
            is_signed: table.signed,
            is_little: table.order.as_ref().map_or(Ok(false), |order| self.checked(order, is_little))?,
            scale: self.finite(table.scale.as_ref(), 1.0)?,
            offset: self.finite(table.offset.as_ref(), 0.0)?,
            unit: table.unit.as_ref().map(|unit| unit.get_ref().clone()),
        })
    }

    fn within(&self, value: &Placed<u32>, least: u32, most: u32, what: &str) -> Result<u32, Error> {
        if (least..=most).contains(value.get_ref()) {
            return Ok(*value.get_ref());
        }
        Err(self.fault(value.span(), what, "The data sheet of the device has it; i2cdetect shows what answers."))
    }

    fn finite(&self, value: Option<&Placed<f64>>, default: f64) -> Result<f64, Error> {
        match value {
            None => Ok(default),
            Some(value) if value.get_ref().is_finite() => Ok(*value.get_ref()),
            Some(value) => Err(self.fault(value.span(), "this is no number to calculate with", "Write one such as 0.0625.")),
        }
    }
}

fn is_little(order: &str) -> Result<bool, String> {
    match order {
        "big" => Ok(false),
        "little" => Ok(true),
        _ => Err(format!("`{order}` is no order: there are \"big\" (the first byte counts most) and \"little\"")),
    }
}

fn value_name(name: &str) -> Result<String, String> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=32).contains(&name.len()) && name.bytes().all(is_good) {
        return Ok(name.to_owned());
    }
    Err(format!("`{name}` is no name of 1 to 32 letters, digits, `-` and `_`"))
}
