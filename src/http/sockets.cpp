#include "sockets.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

namespace filetree::http {
namespace {

thread_local std::vector<curl_socket_t> sockets;

std::pair<std::string, int> text_of(const sockaddr_storage& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const auto write = [&](const void* bytes, in_port_t port) {
        (void)::inet_ntop(address.ss_family, bytes, text.data(), text.size());
        return std::pair(std::string(text.data()), static_cast<int>(ntohs(port)));
    };
    if (address.ss_family == AF_INET6) {
        sockaddr_in6 six{};
        std::memcpy(&six, &address, sizeof six);
        return write(&six.sin6_addr, six.sin6_port);
    }
    sockaddr_in four{};
    std::memcpy(&four, &address, sizeof four);
    return write(&four.sin_addr, four.sin_port);
}

bool has_ends(curl_socket_t socket, const Ends& ends) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
    if (text_of(address) != std::pair(ends.local, ends.local_port)) return false;
    size = sizeof address;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
    return text_of(address) == std::pair(ends.remote, ends.remote_port);
}

}  // namespace

void note_socket(curl_socket_t socket) { sockets.push_back(socket); }

void close_socket(curl_socket_t socket) noexcept {
    std::erase(sockets, socket);
    (void)::close(socket);
}

curl_socket_t find_socket(const Ends& ends) {
    for (const curl_socket_t socket : sockets) {
        if (has_ends(socket, ends)) return socket;
    }
    return CURL_SOCKET_BAD;
}

bool has_input(curl_socket_t socket) noexcept {
    char byte = 0;
    return socket != CURL_SOCKET_BAD && ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

}  // namespace filetree::http
