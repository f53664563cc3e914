#pragma once

#include <curl/curl.h>

#include <string>

namespace filetree::http {

// The sockets that a thread's connections have: libcurl tells which one a request uses only by its
// addresses.
//
// Threads: each has its own.

// Two ends, as libcurl writes them.
struct Ends {
    std::string remote;
    int remote_port = 0;
    std::string local;
    int local_port = 0;
};

void note_socket(curl_socket_t socket);
void close_socket(curl_socket_t socket) noexcept;
// CURL_SOCKET_BAD: there is none.
[[nodiscard]] curl_socket_t find_socket(const Ends& ends);
// Whether bytes have come that nobody has read.
[[nodiscard]] bool has_input(curl_socket_t socket) noexcept;

}  // namespace filetree::http
