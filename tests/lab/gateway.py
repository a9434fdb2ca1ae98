# SPDX-License-Identifier: GPL-2.0-or-later
# summary: what stands in the gateway: cordond and its CLI, or hand-written rules
import glob
import json
import os
import signal
import subprocess
import time

from peers import HERE, LAB, environment, inside, run, wait_until

DENIALS = ('denied', 'exposure', 'guard')


def printable(text):
    """Text of events goes to a terminal: nothing but printable characters."""
    return ''.join(c if c.isprintable() else '?' for c in str(text))


class Cordon:
    """The daemon in the gateway's namespace, its policy tree, its events."""

    name = 'cordond'
    can_kill = True

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.policy = LAB + '/policy'
        self.runtime = LAB + '/runtime'
        self.state = LAB + '/state'
        self.log = LAB + '/log/cordond.log'
        self.events_file = LAB + '/events/events.jsonl'
        self.proc = None
        # Not with the checkout's modes: cordond refuses what others may write.
        subprocess.run(['cp', '-R', '--no-preserve=mode', HERE + '/policy', self.policy],
                       check=True)
        for d in (self.runtime, self.state, LAB + '/events'):
            os.mkdir(d, 0o755)
        self.edit('cordon.yaml', '/var/log/cordon/events.jsonl', self.events_file)

    def edit(self, name, old, new):
        """Replace old, which must be there, in a file of the policy."""
        path = os.path.join(self.policy, name)
        with open(path) as f:
            text = f.read()
        if old not in text:
            raise RuntimeError('%s has no %r' % (name, old))
        with open(path, 'w') as f:
            f.write(text.replace(old, new))

    def cli(self, *args):
        """(exit code, stdout, stderr) of cordon."""
        p = subprocess.run([self.build + '/cordon', *args], stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=20, env=environment())
        return p.returncode, p.stdout.decode(), p.stderr.decode('utf-8', 'replace')

    def live(self, verb, *args):
        return self.cli(verb, '--runtime-dir', self.runtime, *args)

    def start(self):
        with open(self.log, 'ab') as log:
            self.proc = subprocess.Popen(
                inside('gateway', self.build + '/cordond', '-c', self.policy,
                       '--runtime-dir', self.runtime, '--state-dir', self.state),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
        if not wait_until(self.ready, 10, 0.05):
            raise RuntimeError('cordond was not ready within 10 s')

    def ready(self):
        if self.proc.poll() is not None:
            raise RuntimeError('cordond ended with status %d' % self.proc.returncode)
        code, out, _ = self.live('status', '--format', 'json')
        # the sensor too: it is started beside the rest, and hears nothing before
        return code == 0 and json.loads(out)['sensor']['up'] and json.loads(out)['sensor']['handles'] > 0

    def counted(self):
        """Whether the roles, which count for themselves, have said what they counted."""
        code, out, _ = self.live('status', '--format', 'json')
        answer = json.loads(out) if code == 0 else {}
        return bool(answer) and answer['sensor']['packets'] > 0 and bool(answer['counts']['gateway'])

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def pids(self):
        found = []
        for exe in glob.glob('/proc/[0-9]*/exe'):
            try:
                if os.readlink(exe) == self.build + '/cordond':
                    found.append(int(exe.split('/')[2]))
            except OSError:
                pass
        return found

    def kill(self):
        """kill -9 to every role at once."""
        while pids := self.pids():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        self.proc.wait()

    def reload(self):
        code, out, err = self.live('reload')
        if code != 0:
            raise RuntimeError('cordon reload: exit %d: %s%s' % (code, out, err))

    def remove_database_rule(self):
        """Take the first inbound rule, the database's, out of the YAML."""
        path = self.policy + '/hosts/erp-db01.yaml'
        with open(path) as f:
            text = f.read()
        start, end = text.index('    - service: mssql'), text.index('    - service: rdp')
        with open(path, 'w') as f:
            f.write(text[:start] + text[end:])
        self.reload()

    def blocked(self, addr):
        code, out, err = self.live('block', '--list', '--format', 'json')
        if code != 0:
            raise RuntimeError('cordon block --list: exit %d: %s' % (code, err))
        return '"%s' % addr in out

    def rule_of(self, src, dst, service):
        """What `cordon explain` names for an allowed flow: rule ids of its sides."""
        code, out, err = self.cli('explain', '--format', 'json', self.policy, src, dst,
                                  service)
        if code != 0:
            raise RuntimeError('cordon explain: exit %d: %s' % (code, err))
        verdict = json.loads(out)
        rules = [s['rule'] for s in verdict['sides'] if s.get('rule')]
        return verdict['verdict'], ' + '.join(rules) or verdict.get('reason', '')

    def events(self):
        try:
            with open(self.events_file) as f:
                return [json.loads(line) for line in f if line.endswith('\n')]
        except FileNotFoundError:
            return []

    def denial_of(self, src, dst, ports, whys, before, timeout_s=2.0):
        """The event behind the first `before` ones that tells of a denied attempt on one
        of ports, for one of the reasons whys; or None."""
        def find():
            self.found = [e for e in self.events()[before:]
                          if e.get('src_ip') == src and e.get('dest_ip') == dst and
                          e.get('dest_port') in ports and
                          e['cordon']['kind'] in DENIALS and e['cordon']['reason'] in whys]
            return self.found
        return self.found[-1] if wait_until(find, timeout_s, 0.05) else None

    @staticmethod
    def place(event):
        """The rule; where none decided: host and direction."""
        c = event['cordon']
        return c.get('rule') or '/'.join(filter(None, (c.get('host'), c.get('direction'))))

    def reason(self, event):
        c = event['cordon']
        return printable('%s %s: %s' % (c['kind'], self.place(event) or '-', c['reason']))

    def block_reason(self, addr):
        """The event of the block of addr, in words."""
        for e in reversed(self.events()):
            c = e['cordon']
            if c['kind'] == 'blocked' and c.get('block', {}).get('addr') == addr:
                return self.reason(e)
        return ''

    def stop(self):
        if self.alive():
            self.proc.send_signal(signal.SIGTERM)
            self.proc.wait(5)


class StandIn:
    """Rules by hand, to test the lab itself: it denies like cordon, and says nothing."""

    name = 'hand-written rules'
    can_kill = False

    def start(self):
        code, out = run('gateway', 'nft', '-f', HERE + '/standin.nft')
        if code != 0:
            raise RuntimeError('nft: ' + out)

    def alive(self):
        return True

    def remove_database_rule(self):
        run('gateway', 'nft', 'flush', 'set', 'inet', 'cordon', 'database')

    def blocked(self, addr):
        return addr in run('gateway', 'nft', 'list', 'set', 'inet', 'cordon', 'blocked')[1]

    def rule_of(self, src, dst, service):
        return 'allow', ''

    def denial_of(self, src, dst, ports, whys, before):
        return {}

    def reason(self, event):
        return ''

    def block_reason(self, addr):
        return ''

    def events(self):
        return []

    def stop(self):
        pass
