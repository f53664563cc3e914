#pragma once

#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "answer.hpp"
#include "decoder.hpp"
#include "filetree/http.hpp"
#include "url.hpp"

namespace filetree {

namespace http {

using Clock = std::chrono::steady_clock;

struct FreeEasy {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
using EasyHandle = std::unique_ptr<CURL, FreeEasy>;

}  // namespace http

// One GET with the redirects that it follows.
//
// Invariants: a redirect is followed by hand, never by libcurl, so that each hop has its own rules:
// headers and credentials are the first origin's, and addresses are judged as they are connected
// to (a new connection before its socket is there, and any other before a request is sent on it).
// Bytes reach the caller only once the head is found to be what was asked for.
//
// Threads: what begins with `client_`, or is called by libcurl, is the client's thread's; the
// rest any one's. on_change is called without a lock.
class HttpTransfer {
   public:
    HttpTransfer(HttpRequest request, std::function<void()> on_change);
    HttpTransfer(const HttpTransfer&) = delete;
    HttpTransfer& operator=(const HttpTransfer&) = delete;

    // --- the caller's ---------------------------------------------------------------------------
    struct Found {
        bool any = false;
        bool complete = false;
        const HttpHead* head = nullptr;
        http::Coding coding = http::Coding::identity;
        bool resume = false;  // the client is to go on
    };
    // Takes what has come into `bytes`, which is empty.
    [[nodiscard]] Found look(std::vector<char>& bytes);
    void cancel() noexcept { cancelled_.store(true); }
    [[nodiscard]] bool cancelled() const noexcept { return cancelled_.load(); }
    // Where the client is told of it.
    std::weak_ptr<HttpClient::State> client;

    // --- the client's ---------------------------------------------------------------------------
    // What counts against a host's share.
    [[nodiscard]] const std::string& origin() const noexcept { return url_.origin(); }
    // Sets up the next request.
    void client_begin(http::EasyHandle handle);
    [[nodiscard]] CURL* client_handle() const noexcept { return easy_.get(); }
    [[nodiscard]] http::EasyHandle client_take_handle() noexcept { return std::move(easy_); }
    // What is still to come is not wanted: unless others use it, the connection is not kept.
    void client_abandon() noexcept;
    [[nodiscard]] bool client_is_paused() const noexcept { return paused_; }
    // Why it cannot go on, if it cannot.
    [[nodiscard]] std::optional<HttpError> client_resume();
    // After libcurl is done with it. True: it is to begin again, elsewhere or on a new connection.
    [[nodiscard]] bool client_finish(CURLcode code);
    // When it is to be given up, if nothing comes.
    [[nodiscard]] std::optional<http::Clock::time_point> client_deadline() const;
    // True: as client_finish().
    [[nodiscard]] bool client_time_out();
    void client_fail(HttpError failure);

   private:
    enum class Body : std::uint8_t { content, discarded };

    static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
    static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
    static curl_socket_t on_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
    static int on_close(void* self, curl_socket_t socket);
    static int on_connected(void* self, char* address, char* local, int port, int local_port);
    static int on_debug(CURL* handle, curl_infotype kind, char* text, std::size_t size, void* self);

    [[nodiscard]] bool judges_addresses() const noexcept;
    void set_up(CURL* easy);
    void set_request(CURL* easy);
    void set_tls(CURL* easy);
    void set_proxy(CURL* easy);
    void set_headers(CURL* easy);
    void set_callbacks(CURL* easy);
    // When all of the head has come.
    void judge_head();
    [[nodiscard]] bool is_redirect() const noexcept;
    void follow_redirect();
    [[nodiscard]] bool never_reached_the_server(CURLcode code) const;
    // When all that was promised has come.
    void expect_no_more();
    [[nodiscard]] HttpError error_of(CURLcode code) const;
    [[nodiscard]] HttpError error(int number, const std::string& what, int status = 0) const;
    // What a callback returns to end the transfer.
    [[nodiscard]] std::size_t refuse() noexcept;
    void publish(const std::function<void()>& change);

    const HttpRequest request_;
    const std::function<void()> on_change_;

    // The client's.
    http::Url url_;
    const std::string first_origin_;
    std::string proxy_;
    http::EasyHandle easy_;
    struct FreeList {
        void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
    };
    std::unique_ptr<curl_slist, FreeList> headers_;
    http::Answer answer_;
    std::optional<HttpError> wrong_;         // why it is to fail
    std::optional<std::uint64_t> expected_;  // bytes of the body
    std::uint64_t received_ = 0;
    std::size_t head_bytes_ = 0;
    http::Clock::time_point begun_;
    http::Clock::time_point last_activity_;
    http::Clock::time_point head_came_;
    unsigned hops_ = 0;
    curl_socket_t socket_ = CURL_SOCKET_BAD;  // where what comes is not encrypted
    Body body_ = Body::discarded;
    bool has_left_ = false;  // the first origin
    bool stale_ = false;     // the connection that was to be used, which has had no request
    bool fresh_ = false;     // on a new connection only
    bool head_complete_ = false;
    bool paused_ = false;

    std::atomic<bool> cancelled_{false};
    // Guarded by mutex_, all that follows.
    bool complete_ = false;
    bool full_ = false;  // the client waits
    bool caller_waits_ = false;
    bool head_told_ = false;
    bool end_told_ = false;
    http::Coding coding_ = http::Coding::identity;  // set with head_
    std::optional<HttpHead> head_;
    std::vector<char> come_;
    std::exception_ptr failure_;
    mutable std::mutex mutex_;
};

}  // namespace filetree
