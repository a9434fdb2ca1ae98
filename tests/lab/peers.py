# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the lab's hosts and the real clients that try things between them
import os
import re
import subprocess
import time

LAB = os.environ.get('LAB', '/run/lab')
NETNS_DIR = os.environ.get('NETNS_DIR', '/run/netns')
HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = '/usr/bin/python3'

RDP_TIMEOUT_S = 2.5
# Outcomes.  A reset is an answer too, so REFUSED; SILENT: none came in time.
WORKS, REFUSED, SILENT = 'works', 'refused', 'no answer'
# What clients call it when REFUSED says it all.
PLAIN = ('connection refused', 'connection_refused', 'connect_transport_failed')

V4 = {'erp-db01': '10.20.8.11', 'files01': '10.20.8.12', 'jump-host': '10.1.0.5',
      'app-server': '10.30.0.7', 'intruder': '10.66.0.66'}
V6 = {'erp-db01': 'fd00:20:8::11', 'files01': 'fd00:20:8::12', 'jump-host': 'fd00:1::5',
      'app-server': 'fd00:30::7', 'intruder': 'fd00:66::66'}


def inside(ns, *command):
    """The command line that runs command in a namespace of the lab."""
    with open(os.path.join(NETNS_DIR, ns)) as f:
        return ['nsenter', '-t', f.read().strip(), '-n', '--', *command]


def environment(ns=None):
    env = dict(os.environ, HOME=LAB + '/home', TMPDIR=LAB + '/tmp', LC_ALL='C')
    screen = '%s/display.%s' % (LAB, ns)
    if os.path.exists(screen):
        with open(screen) as f:
            env['DISPLAY'] = f.read().strip()
    return env


def run(ns, *command, timeout_s=3.0):
    """(exit code, output); exit code None: it was still waiting after timeout_s."""
    try:
        p = subprocess.run(inside(ns, *command), stdin=subprocess.DEVNULL, timeout=timeout_s,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           env=environment(ns))
        return p.returncode, p.stdout.decode('utf-8', 'replace')
    except subprocess.TimeoutExpired as e:
        return None, (e.output or b'').decode('utf-8', 'replace')


def refusal(text):
    """The client's words for a refusal, as far as they say more than that."""
    return '' if text.lower() in PLAIN else text.lower().replace('_', ' ')


def own_client(ns, *args):
    code, out = run(ns, PYTHON, HERE + '/client.py', *args, timeout_s=6)
    line = out.strip().splitlines()[-1] if out.strip() else ''
    if code == 0:
        return WORKS, line
    return (REFUSED, refusal(line)) if code == 1 else (SILENT, '')


def sql(ns, dst, port=1433):
    """impacket's TDS client: log in, SELECT @@VERSION."""
    return own_client(ns, 'sql', dst, str(port))


def http(ns, dst, port=8080):
    return own_client(ns, 'http', dst, str(port))


def tcp(ns, dst, port, source=None):
    return own_client(ns, 'tcp', dst, str(port), *([source] if source else []))


def smb(ns, dst, share='erp', port=445, dialect='NT1'):
    """smbclient lists the share."""
    code, out = run(ns, 'smbclient', '-N', '//%s/%s' % (dst, share), '-p', str(port),
                    '-m', dialect, '--option=client min protocol=' + dialect, '-c', 'ls')
    if code == 0:
        name = re.search(r'^  (\w+\.txt)', out, re.M)
        return WORKS, 'lists %s' % name.group(1) if name else 'empty list'
    error = re.search(r'NT_STATUS_(\w+)', out)
    silent = code is None or (error and error.group(1) == 'IO_TIMEOUT')
    return (SILENT, '') if silent else (REFUSED, refusal(error.group(1) if error else ''))


def rdp(ns, dst, port=3389):
    """xfreerdp goes through negotiation, TLS and logon, then leaves."""
    where = '[%s]' % dst if ':' in dst else dst
    start = time.monotonic()
    code, out = run(ns, 'xfreerdp', '/v:' + where, '/port:%d' % port, '/u:lab',
                    '/p:lab', '/cert:ignore', '+auth-only', '/sec:tls',
                    '/timeout:%d' % (RDP_TIMEOUT_S * 1000), timeout_s=RDP_TIMEOUT_S + 2)
    if code == 0:
        return WORKS, 'TLS and logon'
    waited = code is None or time.monotonic() - start > RDP_TIMEOUT_S
    error = re.search(r'ERRCONNECT_(\w+)', out)
    return (SILENT, '') if waited else (REFUSED, refusal(error.group(1) if error else ''))


def scan(ns, dst):
    """nmap's look at the SMB and RDP ports, with its SMB script."""
    family = ['-6'] if ':' in dst else []
    _, out = run(ns, 'nmap', *family, '-Pn', '-n', '-sT', '--max-retries', '1',
                 '--host-timeout', '5s', '-p', '139,445,3389', '--script', 'smb-protocols',
                 dst, timeout_s=8)
    opened = re.findall(r'^(\d+)/tcp +open ', out, re.M)
    if opened:
        return WORKS, ','.join(opened) + ' open'
    states = sorted(set(re.findall(r'^\d+/tcp +(closed|filtered) ', out, re.M)))
    if not states:
        raise RuntimeError('nmap said nothing of the ports: ' + out)
    return (SILENT if states == ['filtered'] else REFUSED), 'ports ' + ', '.join(states)


class Live:
    """A database connection that queries on and on."""

    def __init__(self, ns, dst):
        self.path = LAB + '/live'
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.proc = subprocess.Popen(
            inside(ns, PYTHON, HERE + '/client.py', 'live', dst, '1433', self.path),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def words(self):
        try:
            with open(self.path) as f:
                return f.read().split(None, 4)
        except FileNotFoundError:
            return []

    def wait_up(self, timeout_s=5):
        return wait_until(lambda: self.words()[:1] == ['up'], timeout_s)

    def alive(self):
        return self.proc.poll() is None

    def wait_cut(self, timeout_s):
        """(time at which the client noticed, why), or None if it goes on."""
        try:
            self.proc.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        words = self.words()
        return float(words[3]), words[4].strip() if len(words) > 4 else ''


def wait_until(condition, timeout_s, step_s=0.02):
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step_s)
    return True
