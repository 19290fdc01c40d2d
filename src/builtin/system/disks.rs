//! Disks: what is mounted from a block device, and how full it is.

use crate::builtin::root::Root;
use crate::builtin::system::memory::Size;
use serde::Serialize;
use std::fmt;

/// More disks are not looked at.
const DISKS: usize = 16;

/// One mounted disk.
#[derive(Debug, Serialize)]
pub(super) struct Disk {
    pub(super) mount: String,
    pub(super) fs: String,
    pub(super) total_bytes: u64,
    pub(super) available_bytes: u64,
    /// As `df` counts: what the superuser keeps back counts as neither.
    pub(super) used_percent: u8,
    pub(super) is_read_only: bool,
}

/// Every disk, each device once.
pub(super) fn read(root: &Root) -> Vec<Disk> {
    let text = root.read("/proc/self/mountinfo").unwrap_or_default();
    mounts(&text).into_iter().filter_map(|mount| Disk::measure(root, mount)).collect()
}

/// One line of `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).
struct Mount<'a> {
    device: &'a str,
    place: String,
    fs: &'a str,
    is_read_only: bool,
}

/// The mounts of block devices. Of one device, the mount with the shortest path: the others show parts of it.
fn mounts(text: &str) -> Vec<Mount<'_>> {
    let mut mounts: Vec<Mount<'_>> = Vec::new();
    for mount in text.lines().filter_map(mount) {
        match mounts.iter().position(|known| known.device == mount.device) {
            Some(index) if mount.place.len() < mounts[index].place.len() => mounts[index] = mount,
            None if mounts.len() < DISKS => mounts.push(mount),
            _ => {}
        }
    }
    mounts
}

fn mount(line: &str) -> Option<Mount<'_>> {
    let (here, there) = line.split_once(" - ")?;
    let place = here.split(' ').nth(4)?;
    let mut words = there.split(' ');
    let (fs, device, options) = (words.next()?, words.next()?, words.next()?);
    // Images of installed packages and of discs are full by design.
    let is_disk = device.starts_with("/dev/") && !matches!(fs, "squashfs" | "erofs" | "iso9660" | "udf");
    // The options of the file system, as those of the mount are what the sandbox of the service makes of it.
    is_disk.then(|| Mount { device, place: unescaped(place), fs, is_read_only: options.split(',').any(|option| option == "ro") })
}

/// The kernel writes a space as `\040`.
fn unescaped(place: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(place.to_owned(), |place, (escape, plain)| place.replace(escape, plain))
}

impl Disk {
    fn measure(root: &Root, mount: Mount<'_>) -> Option<Self> {
        let space = rustix::fs::statvfs(root.place(&mount.place)).ok()?;
        let (total, free) = (space.f_blocks, space.f_bfree);
        if total == 0 {
            return None;
        }
        Some(Disk {
            mount: mount.place,
            fs: mount.fs.to_owned(),
            total_bytes: total.saturating_mul(space.f_frsize),
            available_bytes: space.f_bavail.saturating_mul(space.f_frsize),
            used_percent: used_percent(total, free, space.f_bavail),
            is_read_only: mount.is_read_only,
        })
    }
}

/// How full, rounded up, as `df` says it.
fn used_percent(total: u64, free: u64, available: u64) -> u8 {
    let used = u128::from(total.saturating_sub(free));
    let all = used + u128::from(available);
    let percent = (used * 100).div_ceil(all.max(1));
    u8::try_from(percent).unwrap_or(100).min(100)
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (available, total) = (Size(self.available_bytes), Size(self.total_bytes));
        write!(f, "{} ({}): {} % used, {available} of {total} available", self.mount, self.fs, self.used_percent)?;
        if self.is_read_only { f.write_str(", read-only") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_disk_is_left_out() {
        let text = "22 28 0:20 / /proc rw shared:12 - proc proc rw\n24 28 0:22 / /run rw - tmpfs tmpfs rw\n\
                    40 28 7:3 / /snap/core/1 ro shared:3 - squashfs /dev/loop3 ro\n50 28 0:50 / /mnt rw - cifs //nas/x rw\n\
                    28 1 8:1 / /cut rw - ext4\n28 1 8:1 / - ext4 /dev/sda1 rw\n\n";
        assert!(mounts(text).is_empty());
    }

    #[test]
    fn a_device_is_named_once_by_its_shortest_mount() {
        let text = "90 28 8:1 /hosts /etc/hosts rw - ext4 /dev/sda1 rw\n28 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\
                    91 28 8:1 /snap /var/snap rw - ext4 /dev/sda1 rw\n";
        let mounts = mounts(text);
        assert_eq!(mounts.len(), 1);
        assert_eq!(mounts[0].place, "/");
        assert!(!mounts[0].is_read_only);
    }

    #[test]
    fn a_sandbox_does_not_make_a_disk_read_only() {
        let sandboxed = "28 1 179:2 / / ro,noatime shared:1 - ext4 /dev/mmcblk0p2 rw\n";
        assert!(!mounts(sandboxed)[0].is_read_only);
        let broken = "28 1 179:2 / / ro,noatime - ext4 /dev/mmcblk0p2 ro,errors=remount-ro\n";
        assert!(mounts(broken)[0].is_read_only);
    }

    #[test]
    fn the_number_of_disks_is_bounded() {
        let lines: Vec<String> = (0..1000).map(|n| format!("{n} 1 8:{n} / /mnt/{n} rw - ext4 /dev/sd{n} rw")).collect();
        assert_eq!(mounts(&lines.join("\n")).len(), DISKS);
    }

    #[test]
    fn a_space_in_a_path_is_read() {
        assert_eq!(mounts("60 28 8:1 / /media/my\\040disk rw - vfat /dev/sda1 rw")[0].place, "/media/my disk");
    }

    #[test]
    fn a_disk_is_as_full_as_df_says() {
        assert_eq!(used_percent(100, 100, 95), 0);
        assert_eq!(used_percent(100, 50, 45), 53);
        assert_eq!(used_percent(100, 5, 0), 100);
        assert_eq!(used_percent(u64::MAX, 0, u64::MAX), 50);
        assert_eq!(used_percent(0, 0, 0), 0);
        assert_eq!(used_percent(10, 20, 0), 0);
    }
}
