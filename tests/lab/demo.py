#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the demo: attempts between the lab's hosts, told as a table
"""Run by demo.sh inside the lab.  Exit 0: everything happened as expected."""
import argparse
import json
import os
import shutil
import sys
import time

import gateway
import peers
from gateway import printable
from peers import REFUSED, SILENT, V4, V6, WORKS

COLUMNS = (('what was tried', 42), ('from', 10), ('expected', 8), ('happened', 27))
# What may follow from what was expected.
OUTCOMES = {'works': (WORKS,), 'denied': (REFUSED, SILENT), 'stopped': (REFUSED, SILENT),
            'shut out': (REFUSED, SILENT), 'blocked': ('blocked',), 'cut': ('cut',)}


class Table:
    def __init__(self, colour):
        self.colour = colour
        self.rows = self.failed = 0

    def paint(self, code, text):
        return '\033[%sm%s\033[0m' % (code, text) if self.colour else text

    def line(self, mark, cells, last):
        text = '  '.join(c[:w].ljust(w) for c, (_, w) in zip(cells, COLUMNS))
        print('%s %s  %s' % (mark, text, last), flush=True)

    def head(self):
        self.line('      ', [name for name, _ in COLUMNS], 'rule or reason')

    def phase(self, text):
        print('\n' + self.paint('1', text), flush=True)

    def row(self, tried, source, expected, outcome, detail, reason, wrong=''):
        """One attempt.  wrong: why it is a deviation although the outcome fits."""
        ok = outcome in OUTCOMES[expected] and not wrong
        self.rows += 1
        self.failed += not ok
        mark = self.paint('32', 'ok    ') if ok else self.paint('1;31', 'FAILED')
        happened = outcome if detail in ('', outcome) else outcome + ': ' + printable(detail)
        self.line(mark, (tried, source, expected, happened), printable(wrong or reason))


TRIES = 3


def insist(attempt):
    """What must work may be tried again: on a busy machine a real client gives up before
    it has sent anything.  What must be denied is tried once."""
    for _ in range(TRIES):
        outcome, detail = attempt()
        if outcome == peers.WORKS:
            break
    return outcome, detail


class Demo:
    def __init__(self, gw, table):
        self.gw, self.table = gw, table

    # -- attempts: `try_*` prints one row --

    def try_open(self, tried, source, attempt):
        """Nothing guards the host yet: whatever is tried must work."""
        outcome, detail = insist(attempt)
        self.table.row(tried, source, 'works', outcome, detail, '(no cordon yet)')

    def try_allowed(self, tried, source, dst, service, attempt, address=V4):
        outcome, detail = insist(lambda: attempt(source, address[dst]))
        verdict, rule = self.gw.rule_of(address[source], address[dst], service)
        wrong = '' if verdict == 'allow' else 'cordon explain says %s' % verdict
        self.table.row(tried, source, 'works', outcome, detail, rule, wrong)

    def try_denied(self, tried, source, src, dst, ports, attempt, expected='denied',
                   whys=('no-rule',), since=None):
        """It must stand in the log, with both ends, one of ports and one of whys, behind
        the first `since` events (None: behind those of now).  No whys: it need not."""
        handed = self.handed_over()
        before = len(self.gw.events()) if since is None else since
        outcome, detail = attempt()
        event = self.gw.denial_of(src, dst, ports, whys, before) if whys else None
        wrong = ''
        if whys and event is None:
            wrong = 'no event says %s' % '/'.join(whys)
        if self.handed_over() != handed:
            wrong = 'its opening reached the host'
        reason = '' if self.gw.alive() else '(the kernel alone)'
        if event:
            reason = self.gw.reason(event)
        self.table.row(tried, source, expected, outcome, detail, reason, wrong)

    @staticmethod
    def handed_over():
        """Openings of SMB or RDP that arrived at the host's other ports so far."""
        with open(peers.LAB + '/log/services.log') as f:
            return sum(line.startswith('handed over') for line in f)

    # -- the phases --

    def unguarded(self):
        self.table.phase('Before cordon: the gateway only routes, and all of this works')
        erp, erp6 = V4['erp-db01'], V6['erp-db01']
        self.try_open('smbclient -m NT1, list a share', 'intruder',
                      lambda: peers.smb('intruder', erp))
        self.try_open('nmap by IPv6: SMB and RDP ports', 'intruder',
                      lambda: peers.scan('intruder', erp6))
        self.try_open('smbclient over the database\'s port 1433', 'app-server',
                      lambda: peers.smb('app-server', erp, port=1433))
        self.try_open('xfreerdp over the status page\'s port 8080', 'intruder',
                      lambda: peers.rdp('intruder', erp, 8080))
        self.try_open('a connection out to the intruder', 'erp-db01',
                      lambda: peers.tcp('erp-db01', V4['intruder'], 4444))
        if self.handed_over() < 2:
            raise RuntimeError('the lab does not notice what arrives at the host')

    def allowed(self):
        self.table.phase('%s started: what the YAML allows goes on' % self.gw.name)
        self.try_allowed('database query (impacket TDS)', 'app-server', 'erp-db01',
                         'tcp/1433', peers.sql)
        self.try_allowed('the same by IPv6', 'app-server', 'erp-db01', 'tcp/1433',
                         peers.sql, V6)
        self.try_allowed('RDP to erp-db01 (xfreerdp)', 'jump-host', 'erp-db01', 'tcp/3389',
                         peers.rdp)
        self.try_allowed('SMB2 to files01 (smbclient)', 'app-server', 'files01', 'tcp/445',
                         lambda ns, dst: peers.smb(ns, dst, 'drawings', dialect='SMB2_02'))
        self.try_allowed('status page, open to everybody', 'intruder', 'erp-db01',
                         'tcp/8080', peers.http)
        self.try_allowed('legacy host asks its update server', 'erp-db01', 'app-server',
                         'tcp/8530', lambda ns, dst: peers.http(ns, dst, 8530))

    def denied(self):
        self.table.phase('What no rule grants is denied, both ways, IPv4 and IPv6')
        erp, erp6, out = V4['erp-db01'], V6['erp-db01'], V4['intruder']
        self.try_denied('smbclient -m NT1, list a share', 'intruder', out, erp, (445,),
                        lambda: peers.smb('intruder', erp))
        self.try_denied('nmap by IPv6: SMB and RDP ports', 'intruder', V6['intruder'], erp6,
                        (139, 445, 3389), lambda: peers.scan('intruder', erp6))
        self.try_denied('RDP to erp-db01 (xfreerdp)', 'intruder', out, erp, (3389,),
                        lambda: peers.rdp('intruder', erp))
        self.try_denied('database query', 'jump-host', V4['jump-host'], erp, (1433,),
                        lambda: peers.sql('jump-host', erp))
        self.try_denied('a connection out to the intruder', 'erp-db01', erp, out, (4444,),
                        lambda: peers.tcp('erp-db01', out, 4444))

    def disguised(self):
        self.table.phase('SMB and RDP over allowed ports: stopped in the kernel')
        erp, app, out = V4['erp-db01'], V4['app-server'], V4['intruder']
        self.try_denied('smbclient over the database\'s port 1433', 'app-server', app, erp,
                        (1433,), lambda: peers.smb('app-server', erp, port=1433), 'stopped',
                        ('smb-not-granted',))
        self.try_allowed('its database query: it is never blocked', 'app-server',
                         'erp-db01', 'tcp/1433', peers.sql)
        self.try_denied('xfreerdp over the status page\'s port 8080', 'intruder', out, erp,
                        (8080,), lambda: peers.rdp('intruder', erp, 8080), 'stopped',
                        ('rdp-not-granted',))
        blocked = peers.wait_until(lambda: self.gw.blocked(out), 3)
        self.table.row('the gateway\'s answer to that', 'gateway', 'blocked',
                       'blocked' if blocked else 'not blocked', out, self.gw.block_reason(out))
        self.shut_out('status page: works for everybody else')
        self.try_allowed('status page', 'app-server', 'erp-db01', 'tcp/8080', peers.http)

    def shut_out(self, tried):
        erp, out = V4['erp-db01'], V4['intruder']
        self.try_denied(tried, 'intruder', out, erp, (8080,),
                        lambda: peers.http('intruder', erp), 'shut out', ())

    def second_address(self):
        self.table.phase('erp-db01 takes a second address, 10.20.8.77: held all the same')
        second, borrowed, app = '10.20.8.77', '10.30.0.9', V4['app-server']
        for address in (second + '/24', borrowed + '/32'):
            code, out = peers.run('erp-db01', 'ip', 'addr', 'add', address, 'dev', 'eth0')
            if code != 0:
                raise RuntimeError('ip addr add: ' + out)
        self.try_denied('update server, from 10.20.8.77', 'erp-db01', second, app, (8530,),
                        lambda: peers.tcp('erp-db01', app, 8530, second),
                        whys=('undeclared',))
        self.try_denied('database query to 10.20.8.77', 'app-server', app, second, (1433,),
                        lambda: peers.sql('app-server', second), whys=('undeclared',))
        out = V4['intruder']
        self.try_denied('to the intruder, as 10.30.0.9 (spoofed)', 'erp-db01', borrowed, out,
                        (4444,), lambda: peers.tcp('erp-db01', out, 4444, borrowed),
                        whys=('spoof',))

    def rule_removed(self):
        self.table.phase('The database\'s rule leaves the YAML while a connection is open')
        live = peers.Live('app-server', V4['erp-db01'])
        if not live.wait_up():
            raise RuntimeError('the live database connection did not come up')
        time.sleep(0.3)
        alive, start, events = live.alive(), time.time(), len(self.gw.events())
        self.gw.remove_database_rule()
        cut = live.wait_cut(5)
        took = '%d ms after the reload' % ((cut[0] - start) * 1000) if cut else ''
        self.table.row('queries on an open database connection', 'app-server', 'cut',
                       'cut' if cut else 'goes on', took, cut[1] if cut else '',
                       '' if alive else 'it ended before the reload')
        # The log tells a flow once: cut or refused anew, it is the same one.
        self.try_denied('a new database query', 'app-server', V4['app-server'],
                        V4['erp-db01'], (1433,),
                        lambda: peers.sql('app-server', V4['erp-db01']),
                        since=events)
        self.try_allowed('status page: nothing else changed', 'app-server', 'erp-db01',
                         'tcp/8080', peers.http)

    def daemon_killed(self):
        self.gw.kill()
        self.table.phase('kill -9 to every cordond process: the rules stay in the kernel')
        erp = V4['erp-db01']
        self.try_denied('smbclient -m NT1, list a share', 'app-server', V4['app-server'],
                        erp, (445,), lambda: peers.smb('app-server', erp), whys=())
        self.try_denied('smbclient over the status page\'s port 8080', 'jump-host',
                        V4['jump-host'], erp, (8080,),
                        lambda: peers.smb('jump-host', erp, port=8080), 'stopped',
                        whys=())
        self.shut_out('status page: still blocked')
        self.try_allowed('status page', 'app-server', 'erp-db01', 'tcp/8080', peers.http)
        self.gw.start()
        self.table.phase('cordond started again')
        blocked = self.gw.blocked(V4['intruder'])
        self.table.row('cordon block --list', 'gateway', 'blocked',
                       'blocked' if blocked else 'not blocked', V4['intruder'],
                       'kept by the kernel')
        # The same flow as a moment ago, which the kernel told to nobody.
        self.try_denied('smbclient -m NT1, list a share', 'app-server', V4['app-server'],
                        erp, (445,), lambda: peers.smb('app-server', erp))

    def neighbour(self):
        self.table.phase('A limit, and proof that the servers were there all the time')
        outcome, detail = peers.smb('files01', V4['erp-db01'])
        self.table.row('smbclient from the same switch', 'files01', 'works', outcome, detail,
                       'never crosses the gateway: one VLAN a host')

    def run(self):
        self.table.head()
        self.unguarded()
        self.gw.start()
        self.allowed()
        self.denied()
        self.disguised()
        self.second_address()
        self.rule_removed()
        if self.gw.can_kill:
            self.incidents = self.gw.live('incidents')  # the daemon keeps them in memory
            self.daemon_killed()
        self.neighbour()


def show_events(gw, n=14):
    print('\nThe last events (cordon watch shows them as they happen):')
    for e in gw.events()[-n:]:
        c = e['cordon']
        ends = e.get('src_ip', '')
        if 'dest_ip' in e:
            ends += ' -> %s %s/%s' % (e['dest_ip'], e['proto'].lower(),
                                      e.get('dest_port', e.get('icmp_type', '')))
        text = '%s  %-9s %-42s %-24s %s' % (e['timestamp'][11:23], c['kind'], ends,
                                            gw.place(e) or '-', c['reason'])
        print('  ' + printable(text).rstrip())


def check_schema(gw):
    """Every event must fit the schema that ships."""
    import jsonschema
    with open(peers.HERE + '/../../daemon/engine/events.schema.json') as f:
        validator = jsonschema.Draft202012Validator(json.load(f))
    events = gw.events()
    for e in events:
        for error in validator.iter_errors(e):
            raise RuntimeError('event %s: %s' % (e['cordon'].get('seq'), error.message))
    print('\n%d events logged; each fits daemon/engine/events.schema.json' % len(events))


def show_verb(what, result):
    code, out, err = result
    print('\n$ cordon ' + what)
    print(''.join('  %s\n' % printable(line) for line in (out + err).splitlines()), end='')
    if code != 0:
        raise RuntimeError('cordon %s: exit %d' % (what, code))


NEXT = '''
Where to look next
  tests/lab/policy/          the YAML that decided all of this; rules/examples/ has larger ones
  cordon check POLICY        errors and warnings, before a change is merged
  cordon explain POLICY 10.66.0.66 erp-db01 tcp/445     why a flow is allowed or denied
  cordon compile POLICY      the nftables ruleset, as a reviewer reads it
  cordon watch | incidents | status | block --list      on the gateway, while it runs
  man cordon-policy(5), cordon(8), cordond(8), cordon-events(5)
'''


def tail_logs(n=12):
    folder = peers.LAB + '/log'
    for name in ('cordond.log', 'services.log', 'smb2008.log', 'xrdp.log'):
        path = os.path.join(folder, name)
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            continue
        print('==> %s' % name, file=sys.stderr)
        with open(path, errors='replace') as f:
            for line in f.readlines()[-n:]:
                print('    ' + printable(line.rstrip('\n')), file=sys.stderr)


def keep(folder):
    for name in ('log', 'events', 'policy'):
        if os.path.isdir(os.path.join(peers.LAB, name)):
            shutil.copytree(os.path.join(peers.LAB, name), os.path.join(folder, name),
                            dirs_exist_ok=True)


def main():
    parser = argparse.ArgumentParser(prog='demo.sh')
    parser.add_argument('--quick', action='store_true', help='as make check runs it: no closing text')
    parser.add_argument('--stand-in', action='store_true',
                        help='test the lab: hand-written rules in the place of cordon')
    parser.add_argument('--build', default=os.environ.get('BUILD', 'build'))
    parser.add_argument('--keep', metavar='DIR', help='copy logs and events there')
    args = parser.parse_args()
    table = Table(sys.stdout.isatty() and 'NO_COLOR' not in os.environ)
    start = time.monotonic()
    gw = None
    try:
        gw = gateway.StandIn() if args.stand_in else gateway.Cordon(args.build)
        demo = Demo(gw, table)
        demo.run()
        if not args.stand_in:
            show_events(gw)
            check_schema(gw)
            show_verb('incidents          (before the kill)', demo.incidents)
            peers.wait_until(gw.counted, 10, 0.2)
            show_verb('status', gw.live('status'))
    except KeyboardInterrupt:
        return 130
    except Exception as e:
        print('\ndemo: %s: %s' % (type(e).__name__, printable(e)), file=sys.stderr)
        table.failed += 1
    finally:
        if gw:
            gw.stop()
        if args.keep:
            keep(args.keep)
    if table.failed:
        tail_logs()
    elif not args.quick and not args.stand_in:
        print(NEXT, end='')
    print('\n%d attempts, %d not as expected, %.0f s' % (
        table.rows, table.failed, time.monotonic() - start))
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
