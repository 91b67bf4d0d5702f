#!/usr/bin/env python3
"""Draws the figures of the documents: draw.py [FOLDER]. With --check it compares those that are there instead."""

from __future__ import annotations

import sys
from pathlib import Path

sys.dont_write_bytecode = True

from svg import Figure  # noqa: E402


def how_it_works() -> Figure:
    f = Figure(880, 300, "How a row gets from an INSERT to a browser: trigger, doorbell, snapshot delta, sockets, is_sent")
    f.box(14, 96, 130, 74, "your backend", "`INSERT …;", "`COMMIT;")
    f.box(226, 30, 216, 206, kind="area", title="PostgreSQL")
    f.box(242, 62, 184, 48, "trigger", "reads the bell", kind="gold")
    f.box(242, 158, 184, 60, "table notification", "`user_id, data, txid", "`is_sent, sent_at")
    f.box(548, 30, 156, 206, kind="area", title="notify-bridge")
    f.box(562, 62, 128, 48, "delta fetcher", "LISTEN, fetch", kind="blue")
    f.box(562, 128, 128, 38, "event loops", kind="blue")
    f.box(562, 180, 128, 38, "marker", kind="blue")
    f.box(782, 62, 84, 42, "phone", kind="green")
    f.box(782, 118, 84, 42, "laptop", kind="green")
    f.box(782, 174, 84, 42, "tab", kind="green")
    f.arrow((144, 120), (190, 120), (190, 86), (242, 86))
    f.arrow((144, 146), (190, 146), (190, 188), (242, 188))
    f.number(190, 100, 1)
    f.arrow((426, 76), (562, 76))
    f.text(500, 69, "NOTIFY, empty")
    f.number(442, 76, 2)
    f.arrow((562, 100), (526, 100), (526, 174), (426, 174))
    f.number(526, 128, 3)
    f.text(476, 144, "rows not in my")
    f.text(476, 158, "last snapshot")
    f.arrow((626, 110), (626, 128))
    for y in (83, 139, 195):
        f.arrow((690, 147), (736, 147), (736, y), (782, y))
    f.number(718, 147, 4)
    f.arrow((626, 166), (626, 180))
    f.arrow((562, 206), (426, 206))
    f.text(500, 222, "UPDATE is_sent")
    f.number(442, 206, 5)
    f.text(440, 268, "1 trigger   2 doorbell   3 snapshot delta   4 sockets   5 is_sent", "title")
    return f


def targets() -> Figure:
    f = Figure(900, 452, "The targets of the package and their dependencies, all of which point downwards")
    f.box(330, 14, 210, 50, "notify-bridge", "commands, settings, checks", kind="blue")
    f.box(30, 14, 210, 50, "NotifyDev", "private PostgreSQL, demo page")
    f.box(30, 140, 210, 66, "NotifyStore", "threads, connections, migrator", "the only Swift that sees libpq", kind="blue")
    f.box(330, 140, 210, 66, "NotifyGateway", "HTTP, WebSocket, event loops:", "the sockets of browsers", kind="blue")
    f.box(630, 140, 210, 66, "NotifyAuth", "JWT, Django session,", "DRF token, ticket", kind="blue")
    f.box(30, 300, 150, 66, "CNotifyStore", "libpq in C: connect,", "listen, read, mark")
    f.box(220, 300, 260, 66, "NotifyCore", "decisions, model, wire format: values",
          "without I/O and clock; neither NIO nor libpq", kind="green")
    f.box(530, 300, 135, 66, "NotifyCrypto", "digests, signatures")
    f.box(705, 300, 150, 66, "NotifyHTTPClient", "one GET with bounds")
    # Of notify-bridge and NotifyDev.
    f.arrow((330, 39), (240, 39))
    f.arrow((435, 64), (435, 140))
    f.arrow((435, 96), (190, 96), (190, 140))
    f.arrow((435, 96), (735, 96), (735, 140))
    f.arrow((310, 96), (310, 300))
    f.arrow((735, 96), (878, 96), (878, 333), (855, 333))
    f.arrow((100, 64), (100, 140))
    f.arrow((150, 64), (150, 80), (370, 80), (370, 140))
    f.arrow((275, 80), (275, 300))
    # Of the three in the middle.
    f.arrow((90, 206), (90, 300))
    f.arrow((200, 206), (200, 232), (245, 232), (245, 300))
    f.arrow((145, 206), (145, 264), (560, 264), (560, 300))
    f.arrow((400, 206), (400, 300))
    f.arrow((525, 206), (525, 232), (600, 232), (600, 300))
    f.arrow((645, 206), (645, 248), (450, 248), (450, 300))
    f.arrow((670, 206), (670, 264), (640, 264), (640, 300))
    f.arrow((780, 206), (780, 300))
    for x, top, name in ((105, 366, "libpq"), (505, 206, "zlib"), (597, 366, "OpenSSL"), (690, 206, "zlib")):
        f.arrow((x, top), (x, 390))
        f.text(x, 408, name, "code")
    f.text(450, 440, "NotifyStore and NotifyGateway never import each other: they meet in the protocols of NotifyCore.", "title")
    return f


def threads() -> Figure:
    f = Figure(880, 434, "The threads of a bridge, and the values they exchange")
    f.box(14, 14, 300, 406, kind="area", title="six threads, one connection each")
    rows = [("nb-listen", "LISTEN, delta, doorbell"), ("nb-mark", "is_sent, read receipts"),
            ("nb-replay", "missed and unsent rows"), ("nb-auth", "sessions, tokens, tickets"),
            ("nb-house", "retention, scan for unsent rows"), ("nb-activity", "presence, logs")]
    for i, (name, what) in enumerate(rows):
        f.box(34, 46 + i * 62, 260, 46, name, what, kind="gold" if i == 0 else "plain")
    f.box(548, 14, 318, 220, kind="area", title="event loops, one for each core")
    for i, name in enumerate(("loop 1", "loop 2")):
        f.box(568 + i * 146, 46, 132, 170, name, "its sockets", "table user →", "connections", "state machines,", "no lock", kind="blue")
    f.box(548, 262, 318, 78, "Swift's cooperative pool", "verifies credentials, answers HTTP routes,", "never blocks", kind="green")
    f.arrow((294, 62), (568, 62))
    f.text(430, 55, "batch: one task for each loop")
    f.arrow((568, 122), (430, 122), (294, 122))
    f.text(430, 115, "written rows: one call a turn")
    f.arrow((568, 178), (500, 178), (500, 186), (294, 186))
    f.text(400, 179, "replay request")
    f.arrow((294, 204), (568, 204))
    f.text(430, 221, "page of rows")
    f.arrow((548, 300), (420, 300), (420, 250), (294, 250))
    f.text(432, 292, "question", anchor="start")
    f.arrow((707, 234), (707, 262))
    return f


def row() -> Figure:
    f = Figure(900, 470, "The way of a row in nine numbered hops")
    f.box(14, 14, 196, 442, kind="area", title="PostgreSQL")
    f.box(228, 14, 410, 442, kind="area", title="threads of NotifyStore")
    f.box(656, 14, 230, 442, kind="area", title="event loops of NotifyGateway")
    f.box(30, 48, 164, 66, "INSERT", "default sets txid,", "trigger reads the bell", kind="gold")
    f.box(30, 146, 164, 50, "COMMIT", "NOTIFY to listeners")
    f.box(30, 228, 164, 50, "delta statement", "snapshot, then rows")
    f.box(30, 392, 164, 50, "UPDATE", "is_sent, sent_at")
    f.box(244, 146, 150, 50, "nb-listen wakes", "poll() on the socket", kind="blue")
    f.box(244, 228, 150, 50, "DeltaReader", "drops rows of a cut", kind="blue")
    f.box(462, 228, 160, 50, "BatchBuilder", "one frame for each row", kind="blue")
    f.box(244, 392, 378, 50, "nb-mark", "collects 5 ms or 256 rows, marks up to 2,000 in one statement", kind="blue")
    f.box(672, 48, 198, 50, "Hub → LoopHub", "one task for each loop", kind="blue")
    f.box(672, 130, 198, 66, "DeliverySession", "hold, drop or write: for", "each connection", kind="green")
    f.box(672, 228, 198, 66, "socket", "slices of the shared frames,", "one flush a turn", kind="blue")
    f.box(672, 326, 198, 50, "kernel took the bytes", "or the client's ack", kind="blue")
    f.arrow((112, 114), (112, 146))
    f.number(30, 48, 1)
    f.number(30, 146, 2)
    f.arrow((194, 171), (244, 171))
    f.number(244, 146, 3)
    f.arrow((319, 196), (319, 212), (112, 212), (112, 228))
    f.arrow((194, 253), (244, 253))
    f.number(30, 228, 4)
    f.arrow((394, 253), (462, 253))
    f.number(462, 228, 5)
    f.arrow((542, 228), (542, 73), (672, 73))
    f.number(672, 48, 6)
    f.arrow((771, 98), (771, 130))
    f.number(672, 130, 7)
    f.arrow((771, 196), (771, 228))
    f.arrow((771, 294), (771, 326))
    f.number(672, 228, 8)
    f.arrow((771, 376), (771, 417), (622, 417))
    f.arrow((244, 417), (194, 417))
    f.number(244, 392, 9)
    f.text(430, 347, "at most 4 batches are under way: then nb-listen waits")
    return f


def connect() -> Figure:
    f = Figure(880, 430, "The way of a connect: from the TCP socket to a live connection")
    steps = [
        ("accept", "TLS, request head, 10 s each", "plain"), ("handshake", "path, Origin, Sec-WebSocket-*", "plain"),
        ("admission", "sockets of the process, of the address", "plain"), ("101, then verify", "one credential, off the loop", "blue"),
        ("join the group", "rows from now on are held back", "gold"), ("replay", "pages, paced by the socket", "gold"),
        ("live", "rows go out as they come", "green")]
    for i, (name, what, kind) in enumerate(steps):
        f.box(40, 14 + i * 58, 290, 42, name, what, kind=kind)
        f.number(40, 14 + i * 58, i + 1)
        if i:
            f.arrow((185, i * 58 - 2), (185, 14 + i * 58))
    ends = [
        (0, "408, 431, 400", "request too slow, too large, ambiguous"),
        (1, "403, 405, 426, 400", "refused before the upgrade"),
        (2, "503, or 4029 after the upgrade", "too many sockets or connects"),
        (3, "4001", "missing, invalid, expired, revoked, inactive"),
        (4, "4009 for the user's oldest", "more sockets than the user may have"),
        (5, "1013 after 10 s without an answer", "the database is away; the credential is kept"),
        (6, "4001 expired, 4008, 1012, 1001", "the credential ends, slow client, drain, silence")]
    for i, code, why in ends:
        y = 14 + i * 58
        f.arrow((330, y + 21), (420, y + 21), dashed=True)
        f.box(420, y, 420, 42, code, why, kind="red")
    return f


def order() -> Figure:
    f = Figure(880, 300, "The replay's snapshot S divides replayed rows from live rows")
    f.arrow((30, 236), (856, 236))
    f.text(852, 256, "time", anchor="end")
    f.box(40, 30, 170, 46, "joins its group", "deltas are held back", kind="gold")
    f.arrow((125, 76), (125, 236), dashed=True, head=False)
    f.box(270, 30, 190, 46, "replay is read", "under snapshot S", kind="blue")
    f.arrow((365, 76), (365, 236), dashed=True, head=False)
    f.box(520, 30, 150, 46, "replay written", "held rows follow")
    f.arrow((595, 76), (595, 236), dashed=True, head=False)
    f.box(730, 30, 120, 46, "live", kind="green")
    f.arrow((790, 76), (790, 236), dashed=True, head=False)
    f.box(140, 110, 210, 42, "delta row that S sees", "dropped: the replay has it", kind="red")
    f.box(400, 110, 250, 42, "delta row that S does not see", "held back, then written once", kind="green")
    f.box(140, 174, 510, 42, "connection_established → replayed rows → held rows → live rows",
          "always in this order", kind="blue")
    f.box(690, 110, 166, 106, "after going live too", "S still decides, until a", "delta begins above S")
    f.text(440, 284, "A cursor stands only where everything before it was written to this connection.", "title")
    return f


def delta() -> Figure:
    f = Figure(880, 318, "The snapshot delta: rows visible now and not visible in the previous snapshot")
    f.text(20, 36, "previous snapshot: xmin 100, xmax 105, xip {100, 103}", "title", "start")
    f.text(20, 176, "next snapshot: xmin 103, xmax 108, xip {103}", "title", "start")
    before = {100: "open", 101: "seen", 102: "seen", 103: "open", 104: "seen"}
    after = {100: "new", 101: "seen", 102: "seen", 103: "open", 104: "seen", 105: "new", 106: "rolled", 107: "new"}
    names = {"open": ("in progress", "gold"), "seen": ("seen", "plain"), "new": ("in the delta", "green"),
             "rolled": ("rolled back", "red")}
    for y, states in ((54, before), (194, after)):
        for i in range(8):
            txid = 100 + i
            x = 20 + i * 106
            if txid in states:
                word, kind = names[states[txid]]
                f.box(x, y, 96, 54, str(txid), word, kind=kind)
            else:
                f.box(x, y, 96, 54, str(txid), "not begun", kind="area")
    f.arrow((550, 44), (550, 120), dashed=True, head=False)
    f.text(556, 130, "xmax of the previous snapshot", anchor="start")
    f.text(440, 284, "delta = txid >= 105, or txid in {100, 103} — and visible now", "title")
    f.text(440, 304, "100 committed late and is found by xip; 103 is still in progress and stays in xip for the next delta")
    return f


def doorbell() -> Figure:
    f = Figure(880, 320, "The doorbell's states: quiet, busy and arming")
    f.box(40, 60, 220, 92, "quiet", "bell = 1: every commit rings", "wait for NOTIFY, fetch at once", "safety fetch every 2 s", kind="green")
    f.box(620, 60, 220, 92, "busy", "bell = 0: no commit rings", "fetch every 5 ms,", "up to 50 ms at many rows", kind="gold")
    f.box(330, 206, 220, 92, "arming", "bell = 1, older transactions", "may have read 0: fetch", "every 20 ms", kind="blue")
    f.arrow((260, 90), (620, 90))
    f.text(440, 66, "1,000 transactions/s, or 100 with 10,000 rows/s,")
    f.text(440, 82, "or sessions seen waiting for NOTIFY's lock: disarm, commit")
    f.arrow((730, 152), (730, 252), (550, 252))
    f.text(740, 200, "calm for 0.5 s:", anchor="start")
    f.text(740, 216, "arm, commit", anchor="start")
    f.arrow((330, 252), (150, 252), (150, 152))
    f.text(140, 190, "a fetch's own", anchor="end")
    f.text(140, 206, "snapshot has", anchor="end")
    f.text(140, 222, "xmin >= B", anchor="end")
    f.text(440, 176, "B = a transaction id taken after the arming was committed")
    f.arrow((440, 190), (440, 206), head=True)
    f.text(20, 30, "A new session starts in arming.", anchor="start")
    return f


def crash() -> Figure:
    f = Figure(880, 268, "After a crash every snapshot is lowered to M, the newest own transaction known to be on disk")
    f.arrow((30, 128), (856, 128))
    f.text(852, 148, "transaction ids", anchor="end")
    for x, name in ((120, "198"), (230, "199"), (340, "200 = M"), (450, "201"), (560, "202"), (670, "203")):
        f.arrow((x, 120), (x, 136), head=False)
        f.text(x, 156, name, "code")
    f.box(60, 40, 330, 46, "on disk", "a synchronous commit of the bridge proves it", kind="green")
    f.box(410, 40, 300, 46, "may be handed out again after a crash", "roll-backs and unflushed commits", kind="red")
    f.arrow((400, 92), (400, 176), dashed=True, head=False)
    f.box(60, 180, 330, 46, "every snapshot becomes xmax <= M + 1", "previous, each connection's S, each cursor", kind="blue")
    f.box(410, 180, 430, 46, "rows routed above M are remembered by (txid, id)", "seen again, they are dropped; others are delivered", kind="blue")
    f.text(440, 256, "Nothing is lost because nothing above M is claimed; nothing comes twice on a connection.", "title")
    return f


FIGURES = {
    "how-it-works": how_it_works, "targets": targets, "threads": threads, "row": row, "connect": connect, "order": order,
    "delta": delta, "doorbell": doorbell, "crash": crash}


def main(arguments: list[str]) -> int:
    checks = "--check" in arguments
    folders = [Path(argument) for argument in arguments if not argument.startswith("--")]
    folder = folders[0] if folders else Path(__file__).resolve().parent
    status = 0
    for name, make in FIGURES.items():
        path, text = folder / f"{name}.svg", make().svg()
        if not checks:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path} is not what draw.py draws: run Documentation/images/draw.py", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
