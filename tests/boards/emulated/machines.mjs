// The boards that are emulated, as QEMU is told of them.

/** With systemd of arm64, a disk and a network of virtio, and a GPIO chip: PL061, with eight lines. */
export const virt = {
  name: 'virt',
  arch: 'arm64',
  health: /dummy-virt/,
  qemu: 'qemu-system-aarch64',
  args: ({ network, shell, console }) => [
    ...['-M', 'virt', '-cpu', 'cortex-a53', '-m', '256'],
    ...['-device', 'virtio-blk-pci,drive=disk', '-device', 'virtio-rng-pci'],
    ...['-netdev', network, '-device', 'virtio-net-pci,netdev=net,romfile='],
    ...['-device', 'virtio-serial-pci', '-chardev', shell, '-device', 'virtconsole,chardev=shell'],
    ...['-serial', `file:${console}`],
  ],
  drive: 'if=none,id=disk',
  append: 'console=ttyAMA0 board=/dev/vda shell=/dev/hvc0',
};

/** A Pi Zero: one core of ARMv6, its memory, a card, and the network of a dongle. It has no clock that goes on without power. */
export const raspi0 = {
  name: 'raspi0',
  arch: 'armhf',
  health: /Raspberry Pi Zero/,
  qemu: 'qemu-system-arm',
  args: ({ folder, network, shell, console }) => [
    ...['-M', 'raspi0', '-dtb', `${folder}/board.dtb`],
    // Its time goes by instructions: where the emulator is not let run for a moment, its timer would miss an alarm that had just been set,
    // and the next one comes after 71 minutes.
    ...['-icount', 'shift=3'],
    ...['-netdev', network, '-device', 'usb-net,netdev=net'],
    ...['-chardev', `${shell},logfile=${console}`, '-serial', 'chardev:shell'],
  ],
  drive: 'if=sd',
  // The emulator lacks the power domains of the chip, and the kernel's driver for them does not bear that. Ciphers that nobody uses need not be
  // tried at each boot.
  append: 'console=ttyAMA0,115200 board=/dev/mmcblk0 shell=/dev/ttyAMA0 initcall_blacklist=bcm2835_power_driver_init cryptomgr.notests=1',
};
