# SPDX-License-Identifier: GPL-2.0-or-later
"""Tools as attackers and administrators have them against guards, scans and passwords.

usage: tools.py BUILD [GROUP...]   (by 53-tools.sh, in the lab's world)"""
import getpass
import os
import re
import subprocess
import sys
import time

import guards as G
import peers

ERP, FILES = G.ERP, G.FILES
INTRUDER, MONITOR, SLOW, TRUSTED = '10.66.0.66', '10.30.0.8', '10.66.0.68', '10.66.0.74'
EXAMPLES = '/usr/share/doc/python3-impacket/examples/'
G.HOSTS = {
    'erp-db01.yaml': """host: erp-db01
addresses: [10.20.8.11, "fd00:20:8::11"]
allow:
  inbound:
    - { service: [smb, netbios], from: [erp-app-servers, 10.66.0.66], id: files }
    - { service: rdp, from: [erp-app-servers, jump-hosts, 10.66.0.66], id: admin }
    - { service: tcp/8447, speaks: smb, from: [erp-app-servers, jump-hosts, 10.66.0.66], id: accounts }
guards:
  smb1: { action: disabled, reason: what is behind it is tested }
  null-session-request: { action: alert }
  smb-signing: { action: alert }
  pipe-svcctl: { action: drop }
""",
    'files01.yaml': """host: files01
addresses: [10.20.8.12]
allow:
  inbound:
    - { service: smb, from: [erp-app-servers, jump-hosts] }
guards:
  null-session: { action: alert }
  null-session-request: { action: alert }
  pipe-svcctl: { action: drop }
  pipe-atsvc: { action: drop }
  pipe-spoolss: { action: drop }
  pipes-compound: { action: drop }
""",
    'logins.yaml': """host: logins
addresses: [10.20.8.41]
allow: { inbound: [ { service: smb, from: 10.66.0.66 } ] }
guards: { smb1: { action: disabled, reason: hydra speaks nothing else } }
""",
    'many.yaml': ''.join("""---
host: many%d
addresses: [10.20.8.%d]
allow: { inbound: [ { service: tcp/9100, from: %s } ] }
""" % (n, n, MONITOR) for n in range(21, 41)),
}
# On all addresses of files01: takes connections and closes them.
LISTENER = r'''
import socketserver
class H(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(100)
class S(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 64
S(("0.0.0.0", 9100), H).serve_forever()
'''
# Rounds of connections from SOURCE to the 20 hosts.
MONITORING = r'''
import socket, sys, time
source, rounds, pause, port = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
good = 0
for r in range(rounds):
    for n in range(21, 41):
        s = socket.socket()
        s.settimeout(3)
        s.bind((source, 0))
        good += s.connect_ex(("10.20.8.%d" % n, port)) == 0
        s.close()
    time.sleep(pause)
print(good)
'''


def tool(lab, what, ns, *command, hit=None, says=None, not_says=None, timeout_s=20):
    """Run a tool: guard `hit` has to be told (None: nothing dropped), its output to hold a
    word, or not.  Tools give up where a machine is busy: three times."""
    for n in range(3):
        lab.mark()
        before = counted(hit)
        out = peers.run(ns, *command, timeout_s=timeout_s)[1]
        if hit:  # of who was told a moment ago only the count is told, later
            good = lab.told(*hit) or hit in TOLD and counted(hit) > before
            TOLD.update({hit} if good else ())
        else:
            good = not [h for h in lab.hits() if h[1] == 'drop']
        said = not says or re.search(says, out)
        if good and said or n == 2:
            break
        time.sleep(1)
    lab.check('%s: %s' % (what, 'told' if hit else 'nothing dropped'),
              good or sorted(lab.hits(), key=str))
    if says:
        lab.check('%s: says %s' % (what, says), bool(said) or out[-300:])
    if not_says:
        lab.check('%s: does not say %s' % (what, not_says), bool(re.search(not_says, out)), False)
    return out


TOLD = set()


def counted(hit):
    """Packets that guards dropped, or only told, so far."""
    name = 'guard_seen' if hit and hit[1] == 'alert' else 'guard'
    out = peers.run('gateway', 'nft', 'list', 'counter', 'inet', 'cordon', name)[1]
    return int(re.search(r'packets (\d+)', out).group(1))


def drops(guard):
    return (guard, 'drop')


def impacket(lab):
    """Remote administration and attack: the same pipes, whoever asks."""
    if not os.path.exists(EXAMPLES + 'services.py'):
        print('tools: impacket\'s examples are not installed here', file=sys.stderr)
        return

    def py(name, *args):
        return (peers.PYTHON, EXAMPLES + name, *args)
    anonymous = 'WORKGROUP/guest:@' + FILES
    for name, args, guard in (('services.py', (anonymous, 'list'), 'pipe-svcctl'),
                              ('smbexec.py', (anonymous,), 'pipe-svcctl'),
                              ('atexec.py', (anonymous, 'whoami'), 'pipe-atsvc')):
        tool(lab, 'impacket ' + name, 'app-server', *py(name, '-no-pass', *args), hit=drops(guard))
    ask = LOG + '/shares.txt'
    with open(ask, 'w') as f:
        f.write('shares\nexit\n')
    tool(lab, 'impacket smbclient.py, SMB2', 'app-server', *py(
        'smbclient.py', '-no-pass', anonymous, '-file', ask), says='IPC')
    tool(lab, 'impacket smbclient.py, SMB1 where that may be', 'app-server', *py(
        'smbclient.py', '-no-pass', '-port', '445', 'WORKGROUP/guest:@' + ERP, '-file', ask), says='IPC')
    tool(lab, 'impacket rpcdump.py, port 135', 'app-server', *py('rpcdump.py', FILES),
         says='refused|timed out|No endpoints|unreachable|[Ee]rror')


def samba(lab):
    options = ('-U', '%', '-N')
    tool(lab, 'rpcclient srvinfo', 'app-server', 'rpcclient', *options, FILES, '-c', 'srvinfo')
    tool(lab, 'rpcclient, a null session asked for', 'app-server', 'rpcclient', *options, FILES,
         '-c', 'srvinfo', hit=('null-session-request', 'alert'))
    tool(lab, 'rpcclient enumprinters', 'app-server', 'rpcclient', *options, FILES, '-c',
         'enumprinters', hit=drops('pipe-spoolss'))
    tool(lab, 'net rpc service list', 'app-server', 'net', 'rpc', 'service', 'list', *options,
         '-S', FILES, hit=drops('pipe-svcctl'))
    tool(lab, 'smbclient -m NT1 where smb1 is on', 'app-server', 'smbclient', '-N', '-L', FILES, '-m',
         'NT1', '--option=client min protocol=NT1', hit=drops('smb1'))
    tool(lab, 'the same without NTLMSSP', 'app-server', 'smbclient', '-N', '-L', FILES, '-m', 'NT1',
         '--option=client min protocol=NT1', '--option=client use spnego=no', hit=drops('smb1'))
    for dialect in ('SMB2_02', 'SMB2_10', 'SMB3'):
        tool(lab, 'smbclient ' + dialect, 'app-server', 'smbclient', '-N', '//%s/drawings' % FILES,
             '-m', dialect, '-c', 'ls', says='drawings.txt')


def nmap(lab):
    def scripts(what, dst, port, **want):
        return tool(lab, 'nmap %s, %s' % (what, dst), 'app-server', 'nmap', '-Pn', '-n', '-sT', '-p',
                    str(port), '--script', what, '--host-timeout', '25s', dst, timeout_s=30, **want)
    scripts('smb-double-pulsar-backdoor', ERP, 445, hit=drops('ms17-010-trans2'),
            not_says='VULNERABLE')
    for what in ('smb-os-discovery', 'smb-security-mode'):
        scripts(what, ERP, 445)
    for what in ('smb-os-discovery', 'smb-enum-shares'):
        scripts(what, FILES, 445, hit=drops('smb1'))
    for what in ('smb-protocols', 'smb2-security-mode', 'smb2-time'):
        scripts(what, FILES, 445)
    # its Connect-Initial is an ordinary one: not MS12-020's
    for what in ('rdp-enum-encryption', 'rdp-ntlm-info'):
        scripts(what, ERP, 3389)


def happened(lab, kind, source):
    return [e for e in lab.events()[lab.seen:]
            if e['cordon']['kind'] == kind and e.get('src_ip') == source]


def wait_for(lab, kind, source, timeout_s=6):
    return peers.wait_until(lambda: bool(happened(lab, kind, source)), timeout_s)


def monitoring(lab):
    """Honest, however busy: connections to 20 hosts again and again."""
    subprocess.Popen(peers.inside('files01', peers.PYTHON, '-c', LISTENER))
    lab.mark()
    out = peers.wait_until(lambda: peers.run(
        'app-server', peers.PYTHON, '-c', MONITORING, MONITOR, '1', '0', '9100',
        timeout_s=25)[1].strip() == '20', 20)
    lab.check('the monitored hosts answer', bool(out))
    out = peers.run('app-server', peers.PYTHON, '-c', MONITORING, MONITOR, '3', '1', '9100',
                    timeout_s=80)[1].strip()
    lab.check('a monitoring system reaches 20 hosts, three times', out, '60')
    for kind in ('scan', 'bruteforce', 'blocked', 'denied', 'exposure'):
        lab.check('a monitoring system: no %s' % kind, happened(lab, kind, MONITOR), [])
    # it is told where rules lack a port, and let alone: rules name it
    out = peers.run('app-server', peers.PYTHON, '-c', MONITORING, MONITOR, '1', '0', '9101',
                    timeout_s=40)[1]
    lab.check('ports that no rule allows: told as a scan', wait_for(lab, 'scan', MONITOR))
    lab.check('and not blocked: rules name it', lab.cordon.blocked(MONITOR), False)


def scans(lab):
    """Strangers are told and, `on` has it, blocked; who may never be is only told."""
    def look(source, *args):
        lab.mark()
        own = [] if '-sT' in args else ['-e', 'eth0', '-S', source]  # connect() has no -S
        peers.run('intruder', 'nmap', '-n', *own, '--max-retries', '0', '--host-timeout', '30s', *args,
                  timeout_s=40)
    for what, source, args in (
            ('-sS', '10.66.0.67', ('-Pn', '-sS', '-p', '1-40', ERP)),
            ('-sT', INTRUDER, ('-Pn', '-sT', '-p', '1-40', ERP)),
            ('-sU', '10.66.0.69', ('-Pn', '-sU', '-p', '1-40', ERP)),
            ('-sS, one port of many hosts', '10.66.0.70', ('-Pn', '-sS', '-p', '445', '10.20.8.11-40')),
            ('-sn', '10.66.0.71', ('-sn', '-PE', '10.20.8.11-40'))):
        look(source, *args)
        lab.check('nmap %s: told as a scan' % what, wait_for(lab, 'scan', source))
        if source == INTRUDER:  # rules name it
            lab.check('nmap %s: not blocked' % what, lab.cordon.blocked(source), False)
        else:
            lab.check('nmap %s: blocked' % what, peers.wait_until(lambda: lab.cordon.blocked(source), 3))
        lab.check('nmap %s: told once' % what, len(happened(lab, 'scan', source)), 1)
    look(TRUSTED, '-Pn', '-sS', '-p', '1-40', ERP)
    lab.check('who is in never: told', wait_for(lab, 'scan', TRUSTED))
    time.sleep(1)
    lab.check('who is in never: not blocked', lab.cordon.blocked(TRUSTED), False)
    look(SLOW, '-Pn', '-sS', '--scan-delay', '300ms', '-p', '1-12', ERP)
    time.sleep(1)
    lab.check('12 ports are no scan', happened(lab, 'scan', SLOW), [])
    look(SLOW, '-Pn', '-sS', '--scan-delay', '300ms', '-p', '13-24', ERP)
    lab.check('slower, 24 are', wait_for(lab, 'scan', SLOW))


def passwords(lab):
    """hydra, and an administrator who mistypes."""
    words = LOG + '/words.txt'
    with open(words, 'w') as f:
        f.write(''.join('wrong%d\n' % n for n in range(40)))

    def admin(password):
        out = peers.run('jump-host', 'smbclient', '-p', '8447', '-U', 'backup%' + password,
                        '-L', '//' + ERP, '-m', 'SMB2_02', timeout_s=10)[1]
        found = re.search(r'NT_STATUS_(\w+)', out)
        return found.group(1) if found else 'in'
    lab.mark()
    lab.check('three wrong passwords', [admin('x%d' % n) for n in range(3)], ['LOGON_FAILURE'] * 3)
    lab.check('then the right one', admin('right'), 'in')
    time.sleep(1)
    lab.check('no brute force', happened(lab, 'bruteforce', '10.1.0.5') +
              happened(lab, 'blocked', '10.1.0.5'), [])
    tries = [('rdp', ERP, ('-L', words, '-p', 'x'))]  # xrdp lets everybody in, then asks
    if os.path.exists(peers.LAB + '/samba/smb.conf'):
        tries.append(('smb', '10.20.8.41', ('-l', getpass.getuser(), '-P', words)))
    else:
        print('tools: SKIP hydra smb: smbd needs real root', file=sys.stderr)
    for service, dst, options in tries:
        lab.cordon.live('unblock', INTRUDER)
        time.sleep(0.5)
        lab.mark()
        out = peers.run('intruder', 'hydra', '-I', *options, '-t', '4', dst, service, timeout_s=12)[1]
        good = wait_for(lab, 'bruteforce', INTRUDER, 8)
        lab.check('hydra %s: told' % service, good or out)
        lab.check('hydra %s: blocked' % service, wait_for(lab, 'blocked', INTRUDER))


LOG = peers.LAB + '/tmp'


def main():
    lab = G.Lab(sys.argv[1])
    lab.cordon.edit('cordon.yaml', 'on: [guard, exposure, bruteforce]',
                    'on: [guard, exposure, scan, bruteforce]')
    lab.cordon.edit('cordon.yaml', 'attempts: 1000', 'attempts: 12')
    lab.cordon.edit('cordon.yaml', 'never: [', 'never: [%s, ' % TRUSTED)
    lab.cordon.reload()
    groups = (impacket, samba, nmap, monitoring, scans, passwords)
    for group in [g for g in groups if len(sys.argv) < 3 or g.__name__ in sys.argv[2:]]:
        start = time.monotonic()
        group(lab)
        print('tools: %s %.0f s' % (group.__name__, time.monotonic() - start), file=sys.stderr)
    lab.cordon.proc.terminate()
    lab.cordon.proc.wait(10)
    print('tools: %d checks, %d failed' % (lab.n, lab.bad))
    return 1 if lab.bad else 0


if __name__ == '__main__':
    sys.exit(main())
