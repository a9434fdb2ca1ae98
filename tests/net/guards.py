# SPDX-License-Identifier: GPL-2.0-or-later
"""Real clients and scanners, and openings made by hand, against each guard in the lab.

usage: guards.py BUILD   (by 51-guards.sh, in the lab's world)"""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

import gateway
import peers

ERP, FILES, STRICT = '10.20.8.11', '10.20.8.12', '10.20.8.13'
HOSTS = {
    'erp-db01.yaml': """host: erp-db01
addresses: [10.20.8.11, "fd00:20:8::11"]
allow:
  inbound:
    - { service: [smb, netbios], from: erp-app-servers, id: files }
    - { service: rdp, from: [erp-app-servers, jump-hosts, 10.66.0.66], id: admin }
    - { service: tcp/8445, speaks: smb, from: erp-app-servers, id: odd-smb }
    - { service: tcp/8389, speaks: rdp, from: [erp-app-servers, 10.66.0.66], id: odd-rdp }
    - { service: tcp/8447, speaks: smb, from: [erp-app-servers, 10.66.0.66], id: accounts }
    - { service: tcp/8135, from: erp-app-servers, id: rpc }
guards:
  smb1: { action: disabled, reason: what is behind it is tested }
  null-session: { action: drop }
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
  pipe-svcctl: { action: drop, except: [jump-hosts], reason: services are managed from there }
  pipe-atsvc: { action: drop }
  pipe-spoolss: { action: drop }
  pipes-compound: { action: drop, except: jump-hosts, reason: likewise }
""",
    'strict.yaml': """host: strict
addresses: [10.20.8.13]
allow:
  inbound:
    - { service: smb, from: erp-app-servers }
guards:
  smb1-negotiate: { action: drop }
""",
}

# In erp-db01: takes what it is sent; where it is told to, it answers.
SERVER = r'''
import socket, socketserver, sys
class H(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            d = self.request.recv(65536)
            if not d: return
            at = d.find(b"REPLY:")
            self.request.sendall(bytes.fromhex(d[at + 6:].decode()) if at >= 0 else b"received")
class S(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    def handle_error(self, request, client_address): pass
S(("0.0.0.0", int(sys.argv[1])), H).serve_forever()
'''
# In erp-db01: an SMB server that knows one account.
ACCOUNTS = r'''
import sys
from impacket import ntlm, smbserver
s = smbserver.SimpleSMBServer("0.0.0.0", int(sys.argv[1]))
s.setSMB2Support(True)
s.addCredential("backup", 0, ntlm.compute_lmhash("right").hex(), ntlm.compute_nthash("right").hex())
s.start()
'''
# Sends packets one by one (hex, "SPLIT n" in front: in pieces of n) and says what came
# back of each: an answer, a reset, or nothing.
CLIENT = r'''
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.settimeout(1.5)
for arg in sys.argv[3:]:
    split, _, data = arg.rpartition(":")
    data, n = bytes.fromhex(data), int(split or 0)
    try:
        for i in range(0, len(data), n or len(data)):
            s.sendall(data[i:i + (n or len(data))])
            time.sleep(0.01 if n else 0)
        print("answer" if s.recv(65536) else "closed", flush=True)
    except socket.timeout:
        print("nothing", flush=True)
    except OSError:
        print("reset", flush=True)
        break
'''


def smb1(command, words=b'', mid=65, pid_high=0, status=0, flags=0x18):
    head = b'\xffSMB' + bytes([command]) + struct.pack('<IBHH', status, flags, 0x2807, pid_high)
    head += b'\0' * 10 + struct.pack('<HHHH', 2048, 65279, 2048, mid)
    body = head + bytes([len(words) // 2]) + words + b'\0\0'
    return struct.pack('!I', len(body)) + body


def smb2(command, body=b'', flags=0, status=0, following=0):
    head = b'\xfeSMB' + struct.pack('<HHIHHIIQ', 64, 0, status, command, 1, flags, following, 1)
    return head + b'\0' * (64 - len(head)) + body


def frame(message):
    return struct.pack('!I', len(message)) + message


def create(pipe):
    name = pipe.encode('utf-16le')
    body = struct.pack('<H', 57) + b'\0' * 42 + struct.pack('<HH', 120, len(name)) + b'\0' * 8
    return body + name + b'\0' * (-len(name) % 8)


NEGOTIATE = frame(smb2(0, struct.pack('<HHHHI', 36, 1, 1, 0, 0) + b'\0' * 24 + b'\x02\x02'))
# As Windows clients with SMB1 on open: one packet that offers both.
MULTI = smb1(0x72)[:-2] + struct.pack('<H', 34) + b'\2NT LM 0.12\0\2SMB 2.002\0\2SMB 2.???\0'
MULTI = struct.pack('!I', len(MULTI) - 4) + MULTI[4:]
TRANS2 = struct.pack('<HHHHBBHIHHHHHBBH', 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 66, 0, 1, 0, 0x000e)
NT_TRANS = struct.pack('<BHIIIIIIIIBH', 1, 0, 30, 66512, 30, 0, 30, 75, 0, 104, 0, 0)
RENAME = struct.pack('<BHIIIIIIIIBH', 1, 0, 30, 512, 30, 0, 30, 75, 0, 104, 0, 5)
PEEK = struct.pack('<HHHHBBHIHHHHHBBH', 0, 0, 65535, 65535, 0, 0, 0, 0, 0, 0, 74, 0, 74, 2, 0, 0x23)
CR = bytes.fromhex('030000130ee000000000000100080000000000')


def connect_initial(channels=0x22, name=b'rdpsnd'):
    params = bytes.fromhex('04010104010101 01ff 3019 0201') + bytes([channels])
    params += bytes.fromhex('020102 020100 020101 020100 020101 0202ffff 020102')
    body = (params + b'\0' * 250 + name.ljust(8, b'\0')).ljust(404, b'\0')
    ber = b'\x7f\x65\x82' + struct.pack('!H', len(body)) + body
    return struct.pack('!HH', 0x300, 7 + len(ber)) + b'\2\xf0\x80' + ber


def rpc(operation, stub):
    """A request of DCE/RPC, whole: C706 12.6.4.9."""
    return b'\5\0\0\3\x10\0\0\0' + struct.pack(
        '<HHIIHH', 24 + len(stub), 0, 2, len(stub), 0, operation) + stub


def challenge(client):
    """NetrServerReqChallenge: MS-NRPC 3.5.4.4.1."""
    def name(text):
        data = text.encode('utf-16le') + b'\0\0'
        return struct.pack('<III', len(data) // 2, 0, len(data) // 2) + data + \
            b'\0' * (-len(data) % 4)
    return rpc(4, struct.pack('<I', 0x20000) + name('\\\\ERP-DB01') + name('WORKSTATION-7') +
               client)


def write(data):
    """SMB2 WRITE into a pipe, MS-SMB2 2.2.21."""
    return frame(smb2(9, struct.pack('<HHIQ', 49, 112, len(data), 0) + b'\1' * 16 +
                      b'\0' * 16 + data))


def authenticate(user):
    """SMB2 session setup with NTLM's third message, MS-NLMP 2.2.1.3."""
    ntlm = b'NTLMSSP\0' + struct.pack('<I', 3)
    for size in (1 if not user else 24, 0 if not user else 24, 0, len(user), 0, 0):
        ntlm += struct.pack('<HHI', size, size, 88)
    return frame(smb2(1, struct.pack('<HBBIIHHQ', 25, 0, 1, 0, 0, 88, 180, 0) +
                      (ntlm + b'\0' * 36 + user).ljust(180, b'\0')))


# What only the sensor judges, and how it may look: (guard, port, request, benign twin).
JUDGED_BY_SENSOR = [
    ('zerologon', 8135, challenge(bytes(8)), challenge(b'\x5a' * 8)),
    ('zerologon', 8445, write(challenge(bytes(8))), write(challenge(b'\x5a' * 8))),
    ('ms08-067', 8445, write(rpc(31, b'\0' * 40 + '\\a\\..\\..\\b'.encode('utf-16le'))),
     write(rpc(31, b'\0' * 40 + '\\a\\b\\c\\d\\b'.encode('utf-16le')))),
    ('null-session-request', 8445, authenticate(b''), authenticate('backup'.encode('utf-16le'))),
]


def other_lengths():
    """The same, a few channels, with its length in four bytes and the number in four."""
    data = connect_initial(3)
    body = data[12:].replace(b'\2\1\3', b'\2\4\0\0\0\3', 1)
    ber = b'\x7f\x65\x84' + struct.pack('!I', len(body)) + body
    return struct.pack('!HH', 0x300, 7 + len(ber)) + b'\2\xf0\x80' + ber


def reply(message):
    """A frame that the server in erp-db01 answers with message."""
    return frame(smb2(13, b'\0' * 8 + b'REPLY:' + message.hex().encode()))


class Lab:
    def __init__(self, build):
        self.cordon = gateway.Cordon(build)
        for name, text in HOSTS.items():
            with open(self.cordon.policy + '/hosts/' + name, 'w') as f:
                f.write(text)
        for port in ('8445', '8389', '8135'):
            subprocess.Popen(peers.inside('erp-db01', peers.PYTHON, '-c', SERVER, port))
        subprocess.Popen(peers.inside('erp-db01', peers.PYTHON, '-c', ACCOUNTS, '8447'),
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.cordon.edit('cordon.yaml', 'on: [guard, exposure]',
                         'on: [guard, exposure, bruteforce],\n'
                         '  bruteforce: { failures: 8, attempts: 1000, within: 5m }')
        self.cordon.start()
        self.n = self.bad = self.seen = 0

    def check(self, what, got, want=True):
        self.n += 1
        if got != want:
            self.bad += 1
            print('FAILED %s: got %s, want %s' % (what, got, want), flush=True)

    def events(self):
        with open(self.cordon.events_file) as f:
            return [json.loads(line) for line in f]

    def mark(self):
        self.seen = len(self.events()) if os.path.exists(self.cordon.events_file) else 0
        self.since = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())

    def hits(self):
        """(guard, action) of the events since mark(); not the counts of earlier packets."""
        return {(e['cordon'].get('guard'), e['cordon']['action'])
                for e in self.events()[self.seen:]
                if e['cordon']['kind'] == 'guard' and e['timestamp'] >= self.since}

    def told(self, guard, action):
        return peers.wait_until(lambda: (guard, action) in self.hits(), 3)


def send(dst, port, *packets, ns='app-server'):
    code, out = peers.run(ns, peers.PYTHON, '-c', CLIENT, dst, str(port), *(
        p if isinstance(p, str) else p.hex() for p in packets), timeout_s=10)
    return out.split()


def by_hand(lab):
    """Each shape behind a session that is judged; the twin differs in what is compared."""
    # words of a benign trans2 request: FIND_FIRST2
    find = TRANS2[:-2] + b'\1\0'
    cases = [('ms17-010-groom', b'\0\0\xff\xf7\xfeSMB'.ljust(80, b'\0'), None),
             ('ms17-010-groom', frame(b'\xfeSMB'.ljust(76, b'\0')), None),
             ('ms17-010-trans2', smb1(0x32, TRANS2), smb1(0x32, find)),
             ('ms17-010-trans2', smb1(0x32, TRANS2, flags=0x98), None),
             ('ms17-010-probe', smb1(0x25, PEEK + b'\0\0'), smb1(0x25, PEEK + b'\0\x40')),
             ('ms17-010-nttrans', smb1(0xa0, NT_TRANS), smb1(0xa0, RENAME[:-2] + b'\4\0')),
             ('ms17-010-nttrans', smb1(0xa0, RENAME), None),
             ('ms09-050', smb1(0x72, pid_high=0x26), MULTI),
             ('doublepulsar', reply(smb1(0x32, mid=81, status=0xc0000002, flags=0x98)),
              reply(smb1(0x32, mid=65, status=0xc0000002, flags=0x98))),
             ('doublepulsar', reply(smb1(0x32, mid=97, status=0xc0000002, flags=0x98)), None),
             ('null-session', reply(frame(smb2(1, b'\x09\0\2\0'.ljust(16, b'\0'), 1))),
              reply(frame(smb2(1, b'\x09\0\0\0'.ljust(16, b'\0'), 1)))),
             ('pipe-svcctl', frame(smb2(5, create('svcctl'))), frame(smb2(5, create('srvsvc'))))]
    told = set()
    for guard, data, twin in cases:
        lab.mark()
        got = send(ERP, 8445, NEGOTIATE, data, NEGOTIATE)
        # what the client sent is answered by a reset, what the server sent never comes
        lab.check('%s: dropped and condemned' % guard,
                  got[:2] == ['answer', 'reset'] or got == ['answer', 'nothing', 'reset'])
        if guard not in told:  # of a second one only the count is told, later
            lab.check('%s: told' % guard, lab.told(guard, 'drop'))
            told.add(guard)
        if twin:
            lab.mark()
            lab.check('%s: the benign twin' % guard,
                      send(ERP, 8445, NEGOTIATE, twin, NEGOTIATE), ['answer'] * 3)
            lab.check('%s: nothing told of the twin' % guard, lab.hits(), set())
    lab.mark()
    send(ERP, 8445, NEGOTIATE, reply(frame(smb2(0, b'\x41\0\1\0\2\2'.ljust(64, b'\0'), 1))))
    lab.check('smb-signing: told', lab.told('smb-signing', 'alert'))
    for name, data in (('few channels', connect_initial(3)), ('other lengths', other_lengths()),
                       ('ordinary', connect_initial())):
        lab.mark()
        got = send(ERP, 8389, CR, data)
        lab.check('ms12-020, %s' % name, got, ['answer', 'reset' if name != 'ordinary' else 'answer'])
        if name != 'other lengths':  # a moment ago: of it only the count is told
            lab.check('ms12-020, %s: told' % name,
                      lab.told('ms12-020', 'drop') if name != 'ordinary' else not lab.hits())


def scanners(lab):
    def nmap(script, port, dst=ERP):
        return peers.run('app-server', 'nmap', '-Pn', '-n', '-sT', '-p', str(port), '--script',
                         script, '--host-timeout', '20s', dst, timeout_s=25)[1]
    lab.mark()
    nmap('smb-vuln-ms17-010', 445)
    lab.check("nmap smb-vuln-ms17-010", lab.told('ms17-010-probe', 'drop'))
    lab.mark()
    out = nmap('rdp-vuln-ms12-020', 3389)
    lab.check('nmap rdp-vuln-ms12-020', lab.told('ms12-020', 'drop'))
    lab.check('nmap rdp-vuln-ms12-020 finds nothing', 'VULNERABLE' in out, False)
    lab.mark()
    out = nmap('smb-protocols', 445, FILES)
    lab.check('nmap smb-protocols passes', bool(re.search(r'\b2.?0.?2\b', out)))
    lab.check('smb-protocols: no drop', [h for h in lab.hits() if h[1] == 'drop'], [])


PIPE = r'''
import sys
from impacket.smbconnection import SMBConnection
dst, pipe = sys.argv[1:]
c = SMBConnection(dst, dst, timeout=3)
c.login('', '')
t = c.connectTree('IPC$')
try:
    c.openFile(t, pipe)
    print('opened')
except Exception as e:
    print('refused by the server' if 'STATUS_' in str(e) else 'lost')
'''


def pipes(lab):
    for pipe in ('svcctl', 'atsvc', 'spoolss', 'srvsvc'):
        lab.mark()
        code, out = peers.run('app-server', peers.PYTHON, '-c', PIPE, FILES, pipe, timeout_s=12)
        out = out.strip().splitlines()[-1:]
        if pipe == 'srvsvc':
            lab.check('impacket opens srvsvc', out != ['lost'] and code == 0)
            lab.check('srvsvc: no drop', [h for h in lab.hits() if h[1] == 'drop'], [])
        else:
            lab.check('impacket opens %s' % pipe, out, ['lost'])
            lab.check('%s: told' % pipe, lab.told('pipe-' + pipe, 'drop'))


def exempted(lab):
    """An administrator's host may open what others may not, and only that."""
    def opens(pipe):
        out = peers.run('jump-host', peers.PYTHON, '-c', PIPE, FILES, pipe, timeout_s=12)[1]
        return out.strip().splitlines()[-1:]
    lab.mark()
    lab.check('an exempted host opens svcctl', opens('svcctl') in ([], ['lost']), False)
    first = smb2(11, b'\0' * 56, following=120)
    send(FILES, 445, NEGOTIATE, frame(first + smb2(5, create('svcctl'))), ns='jump-host')
    time.sleep(0.5)
    lab.check('nothing is told of it', lab.hits(), set())
    lab.check('its other pipes', opens('atsvc'), ['lost'])
    lab.check('and told', lab.told('pipe-atsvc', 'drop'))
    code, out, _ = lab.cordon.cli('explain', '--format', 'json', lab.cordon.policy, '10.1.0.5',
                                  FILES, 'tcp/445')
    guards = json.loads(out)['guards']
    lab.check('explain leaves it out', ['pipe-svcctl' in guards, 'pipe-atsvc' in guards],
              [False, True])


def logon(password):
    """smbclient's: the status it ends with."""
    out = peers.run('intruder', 'smbclient', '-p', '8447', '-U', 'backup%' + password,
                    '-L', '//' + ERP, '-m', 'SMB2_02', timeout_s=10)[1]
    found = re.search(r'NT_STATUS_(\w+)', out)
    return found.group(1) if found else 'in'


def passwords(lab):
    """Somebody tries passwords on a legacy host by SMB."""
    def of_intruder(kind):
        return [e for e in lab.events()[lab.seen:]
                if e['cordon']['kind'] == kind and e.get('src_ip') == '10.66.0.66']
    lab.check('unblock', lab.cordon.live('unblock', '10.66.0.66')[0], 0)
    peers.wait_until(lambda: send(ERP, 8447, NEGOTIATE, ns='intruder') == ['answer'], 5)
    lab.mark()
    lab.check('the right password', logon('right'), 'in')
    for n in range(7):
        lab.check('wrong password %d' % n, logon('wrong%d' % n), 'LOGON_FAILURE')
    lab.check('seven are no attack', of_intruder('bruteforce'), [])
    for n in range(7, 10):
        logon('wrong%d' % n)
    lab.check('bruteforce: told', peers.wait_until(lambda: bool(of_intruder('bruteforce')), 3))
    lab.check('bruteforce: blocked', peers.wait_until(lambda: bool(of_intruder('blocked')), 3))
    lab.check('the source is out', logon('right') == 'in', False)


def clients(lab):
    lab.mark()
    lab.check('smbclient, SMB2', peers.smb('app-server', FILES, 'drawings', dialect='SMB2_02')[0],
              peers.WORKS)
    lab.check('smbclient, SMB1 with smb1 disabled', peers.smb('app-server', ERP)[0], peers.WORKS)
    lab.check('xfreerdp', peers.rdp('jump-host', ERP)[0], peers.WORKS)
    lab.check('no drop so far', [h for h in lab.hits() if h[1] == 'drop'], [])
    lab.mark()
    got = send(FILES, 445, MULTI)
    lab.check('a Windows negotiate where smb1 is on', got, ['answer'])
    lab.check('and nothing told', lab.hits(), set())
    lab.check('a Windows negotiate where smb1-negotiate is on', send(STRICT, 445, MULTI), ['reset'])
    lab.check('smb1-negotiate: told', lab.told('smb1-negotiate', 'drop'))
    lab.mark()
    lab.check('smbclient, SMB1', peers.smb('app-server', FILES, 'drawings')[0] == peers.WORKS, False)
    got = send(FILES, 445, MULTI, smb1(0x73, b'\xff\0' + b'\0' * 22))
    lab.check('an SMB1 session setup', got[:1] + got[-1:], ['answer', 'reset'])
    lab.check('smb1: told', lab.told('smb1', 'drop'))


def sensor(lab):
    """What no packet shows the kernel: told by the sensor, the source shut out."""
    lab.mark()
    got = send(ERP, 8445, NEGOTIATE, '10:' + smb1(0x32, TRANS2).hex())
    lab.check('trans2 in pieces of 10 passes the kernel', got[:1], ['answer'])
    lab.check('trans2 in pieces: told by the sensor', lab.told('ms17-010-trans2', 'alert'))
    lab.mark()
    first = smb2(11, b'\0' * 56, following=120)
    send(FILES, 445, NEGOTIATE, frame(first + smb2(5, create('svcctl'))))
    lab.check('pipe in a compounded request', lab.told('pipes-compound', 'alert'))
    for guard, port, data, twin in JUDGED_BY_SENSOR:
        first = [] if port == 8135 else [NEGOTIATE]
        lab.mark()
        send(ERP, port, *first, twin)
        time.sleep(0.3)
        lab.check('%s on %d: nothing told of the twin' % (guard, port), lab.hits(), set())
        send(ERP, port, *first, data)
        lab.check('%s on %d: told by the sensor' % (guard, port), lab.told(guard, 'alert'))
    lab.mark()
    moved = smb2(5, create('atsvc').replace(b'\x78\0\x0a\0', b'\x80\0\x0a\0'))
    send(FILES, 445, NEGOTIATE, frame(moved[:120] + b'\0' * 8 + moved[120:]), ns='jump-host')
    lab.check('a pipe with its name moved, exempted', lab.hits(), set())
    lab.mark()
    send(FILES, 445, MULTI + smb1(0x73, b'\xff\0' + b'\0' * 22), ns='jump-host')
    lab.check('SMB1 behind its negotiate in one segment', lab.told('smb1', 'alert'))
    lab.mark()
    send(ERP, 8389, CR, connect_initial(name=b'rdpdr'), ns='intruder')
    lab.check('ordinary channels', lab.hits(), set())
    send(ERP, 8389, CR, connect_initial(name=b'ms_t120'), ns='intruder')
    lab.check('bluekeep', lab.told('bluekeep', 'alert'))
    lab.check('bluekeep: blocked', peers.wait_until(lambda: any(
        e['cordon']['kind'] == 'blocked' and e.get('src_ip') == '10.66.0.66'
        for e in lab.events()[lab.seen:]), 3))
    lab.check('the source is out', send(ERP, 8389, CR, ns='intruder')[:1] == ['answer'], False)


def main():
    lab = Lab(sys.argv[1])
    for group in (clients, by_hand, scanners, pipes, exempted, sensor, passwords):
        group(lab)
    lab.cordon.proc.terminate()
    lab.cordon.proc.wait(10)
    print('guards: %d checks, %d failed' % (lab.n, lab.bad))
    return 1 if lab.bad else 0


if __name__ == '__main__':
    sys.exit(main())
