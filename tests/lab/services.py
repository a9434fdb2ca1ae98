#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the lab's TCP services: a database, a web page, an echo, each in disguise too
"""services.py KIND:PORT...   KIND: db, web, echo, greeting (a server that speaks first)

A port answers as what it is.  db and web also do what a compromised host does with a
port that the firewall leaves open: a client that opens with SMB is handed to the SMB
server on 445, one that opens with RDP to the RDP server on 3389.  So the lab can show
SMB over the database's port with a real SMB client and server at the ends."""
import os
import select
import socket
import socketserver
import struct
import sys
import time

SQL_VERSION = 'Microsoft SQL Server 2008 (SP4) - 10.0.6000.29'


def utf16(text):
    return text.encode('utf-16le')


def tds_packet(kind, data):
    return struct.pack('>BBHHBB', kind, 1, 8 + len(data), 0, 1, 0) + data


def tds_done(rows=0):
    return struct.pack('<BHHL', 0xfd, 0x10 if rows else 0, 0xc1, rows)


def tds_prelogin():
    """Version, no encryption, instance, thread: option headers, then their values."""
    options = [(0, bytes([10, 0, 0x17, 0x70, 0, 0])), (1, b'\x02'), (2, b'\0'),
               (3, bytes(4))]
    at = 5 * len(options) + 1
    head = body = b''
    for token, value in options:
        head += struct.pack('>BHH', token, at + len(body), len(value))
        body += value
    return tds_packet(4, head + b'\xff' + body)


def tds_loginack():
    name = 'Microsoft SQL Server'
    ack = struct.pack('<BLB', 1, 0x01000071, len(name)) + utf16(name) + bytes([10, 0, 23, 112])
    return tds_packet(4, struct.pack('<BH', 0xad, len(ack)) + ack + tds_done())


def tds_row(text):
    """One row of one NVARCHAR column."""
    column = struct.pack('<HHBH', 0, 0, 0xe7, 512) + b'\x09\x04\xd0\x00\x34'
    meta = struct.pack('<BH', 0x81, 1) + column + bytes([7]) + utf16('version')
    value = struct.pack('<BH', 0xd1, len(utf16(text))) + utf16(text)
    return tds_packet(4, meta + value + tds_done(1))


TDS_ANSWERS = {
    0x12: tds_prelogin,
    0x10: tds_loginack,
    0x01: lambda: tds_row(SQL_VERSION),
}


def read_exact(sock, n):
    data = b''
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            return None
        data += part
    return data


def serve_db(sock):
    while True:
        head = read_exact(sock, 8)
        if head is None:
            return
        kind, _status, length = struct.unpack('>BBH', head[:4])
        if kind not in TDS_ANSWERS or read_exact(sock, max(length, 8) - 8) is None:
            return
        sock.sendall(TDS_ANSWERS[kind]())


def serve_web(sock):
    sock.recv(8192)
    page = b'<html><title>ERP status</title>all machines running</html>\n'
    sock.sendall(b'HTTP/1.0 200 OK\r\nServer: Microsoft-IIS/7.0\r\n'
                 b'Content-Type: text/html\r\nContent-Length: %d\r\n\r\n' % len(page) + page)


def serve_echo(sock):
    while data := sock.recv(8192):
        sock.sendall(data)


def serve_greeting(sock):
    """As an SSH server opens; then echo."""
    sock.sendall(b'SSH-2.0-OpenSSH_for_Windows_lab\r\n')
    serve_echo(sock)


def relay(sock, port):
    """Hand the connection to the host's own server on port, byte by byte."""
    with socket.create_connection(('127.0.0.1', port)) as other:
        ends = {sock: other, other: sock}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                ends[end].sendall(data)


def hidden_port(first):
    """445, 3389 or None: what the client really speaks, by its first bytes."""
    if first[4:8] in (b'\xffSMB', b'\xfeSMB'):
        return 445
    if first[:2] == b'\x03\x00' and first[5:6] == b'\xe0':
        return 3389
    return None


SERVE = {'db': serve_db, 'web': serve_web, 'echo': serve_echo,
         'greeting': serve_greeting}
DISGUISED = ('db', 'web')


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6  # bound to ::, it answers IPv4 too
    allow_reuse_address = True
    daemon_threads = True
    kind = 'echo'

    def handle_error(self, request, client_address):
        pass  # a client that was cut off is what the lab is about


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        first, port = b'', None
        if self.server.kind in DISGUISED:
            first = self.request.recv(64, socket.MSG_PEEK)
            port = hidden_port(first)
        if port:
            print('handed over to', port, 'from', self.client_address[0], flush=True)
            relay(self.request, port)
        else:
            SERVE[self.server.kind](self.request)


def main():
    for spec in sys.argv[1:]:
        kind, port = spec.split(':')
        server = Server(('::', int(port)), Handler)
        server.kind = kind
        if os.fork() == 0:
            server.serve_forever()
            os._exit(0)
    while True:
        time.sleep(3600)


if __name__ == '__main__':
    main()
