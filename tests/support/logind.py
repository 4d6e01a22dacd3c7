"""A stand-in for systemd's logind: it announces a shutdown, and puts it off until nobody delays it any more.

It answers what a kubelet with `shutdownGracePeriod` asks (pkg/kubelet/nodeshutdown/systemd in Kubernetes), on a bus of
the test's own, which the kubelet finds by `DBUS_SYSTEM_BUS_ADDRESS`.
"""

from __future__ import annotations

import os
import select
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_error, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection

from tests.support.pods import wait_until
from tests.support.processes import Processes, folder_that_goes

NAME = "org.freedesktop.login1"
MANAGER = DBusAddress("/org/freedesktop/login1", NAME, f"{NAME}.Manager")
LONGEST_DELAY_US = 600_000_000
"""Longer than any kubelet here asks for: one that finds less changes the settings of the machine's own logind."""


def missing_for_logind() -> str:
    """Why it cannot run here; empty if it can."""
    return "" if shutil.which("dbus-daemon") else "dbus-daemon is not installed (Debian: apt-get install dbus)"


class Logind:
    """What of logind a kubelet needs."""

    def __init__(self, address: str) -> None:
        self.address = address
        """Of its bus, for `DBUS_SYSTEM_BUS_ADDRESS`."""
        self._delays: list[int] = []

    def wait_for_an_inhibitor(self) -> None:
        """Wait until somebody has asked to delay a shutdown."""
        wait_until(self._delayed, "an inhibitor of shutdowns")

    def shut_down(self) -> None:
        """Announce a shutdown, and wait until everybody lets it go on. Power is switched off after this."""
        assert self._delayed()
        with self._connection() as bus:
            bus.send(new_signal(MANAGER, "PrepareForShutdown", "b", (True,)))
            Proxy(message_bus, bus).GetId()
        wait_until(lambda: not self._delayed(), "the end of all delays of the shutdown")

    def serve(self, bus: DBusConnection) -> None:
        """Answer calls until the bus ends."""
        with suppress(ConnectionError):
            while True:
                call = bus.receive()
                if call.header.message_type == MessageType.method_call:
                    self._answer(bus, call)

    def _answer(self, bus: DBusConnection, call: Message) -> None:
        match call.header.fields[HeaderFields.member], call.body:
            case "Get", (MANAGER.interface, "InhibitDelayMaxUSec"):
                bus.send(new_method_return(call, "v", (("t", LONGEST_DELAY_US),)))
            case "Inhibit", ("shutdown", _, _, "delay"):
                # It is held as long as the other end of a pipe is open.
                here, there = os.pipe()
                bus.send(new_method_return(call, "h", (there,)))
                os.close(there)
                self._delays.append(here)
            case _:
                bus.send(new_error(call, "org.freedesktop.DBus.Error.UnknownMethod"))

    def _delayed(self) -> bool:
        ended, _, _ = select.select(self._delays, [], [], 0)
        return len(ended) < len(self._delays)

    def _connection(self) -> DBusConnection:
        return open_dbus_connection(self.address, enable_fds=True)


@contextmanager
def logind() -> Iterator[Logind]:
    """A logind on a bus of its own."""
    with folder_that_goes("bus") as folder:
        socket, processes = folder / "socket", Processes(folder)
        stand_in = Logind(f"unix:path={socket}")
        options = ("--session", "--nofork", "--nopidfile", f"--address={stand_in.address}")
        processes.start("dbus-daemon", ["dbus-daemon", *options])
        try:
            processes.wait_until(socket.exists, "the bus")
            with open_dbus_connection(stand_in.address, enable_fds=True) as bus:
                Proxy(message_bus, bus).RequestName(NAME)
                server = threading.Thread(target=stand_in.serve, args=(bus,), daemon=True)
                server.start()
                yield stand_in
                processes.stop()
                server.join()
        finally:
            processes.stop()
