#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "decoder.hpp"
#include "filetree/http.hpp"
#include "transfer.hpp"
#include "url.hpp"

namespace filetree {
namespace {

using http::Clock;
using http::EasyHandle;
using std::chrono::milliseconds;

// Of transfers that go on. Those that wait for their caller do not count: it may wait for others.
constexpr unsigned most_of_an_origin = 32;
constexpr unsigned most_at_once = 128;
// The thread and its connections stay for so long when there is nothing to do.
constexpr milliseconds idle_time{2000};
constexpr milliseconds longest_poll{1000};
constexpr milliseconds farewell{1000};

struct FreeMulti {
    void operator()(CURLM* handle) const noexcept { curl_multi_cleanup(handle); }
};
using MultiHandle = std::unique_ptr<CURLM, FreeMulti>;

}  // namespace

// What the thread shares with those who use it; it may outlive the client for as long as libcurl
// does not return.
//
// Handles, connections and DNS answers are the thread's alone.
class HttpClient::State : public std::enable_shared_from_this<HttpClient::State> {
   public:
    State() {
        static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
        if (initialized != CURLE_OK) {
            throw HttpError(EIO, std::string("libcurl: ") + curl_easy_strerror(initialized));
        }
    }

    void add(std::shared_ptr<HttpTransfer> transfer) {
        const std::lock_guard lock(mutex_);
        if (closed_) throw HttpError(ECANCELED, "cancelled");
        if (!running_) start_thread();
        added_.push_back(std::move(transfer));
        curl_multi_wakeup(multi_.get());
    }

    // The caller has taken what there was, or does not want it any more.
    void touch(const std::shared_ptr<HttpTransfer>& transfer) noexcept {
        if (::getpid() != process_) return;
        const std::lock_guard lock(mutex_);
        if (!running_) return;
        touched_.push_back(transfer);
        curl_multi_wakeup(multi_.get());
    }

    void close() noexcept {
        if (::getpid() != process_) return;  // a fork has no threads, and locks in any state
        std::unique_lock lock(mutex_);
        closed_ = true;
        if (!running_) return;
        curl_multi_wakeup(multi_.get());
        gone_.wait_for(lock, farewell, [this] { return !running_; });
    }

   private:
    using Transfers = std::deque<std::shared_ptr<HttpTransfer>>;

    // With the lock held, which is what the thread asks for first.
    void start_thread() {
        multi_.reset(curl_multi_init());
        if (!multi_) throw std::bad_alloc();
        curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, long{most_at_once});
        // A transfer that waits for its caller would hold up all others of its connection, and the
        // caller may wait for one of them.
        curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
        try {
            std::thread([self = shared_from_this()] { self->run(); }).detach();
        } catch (const std::system_error& error) {
            multi_.reset();
            throw HttpError(error.code().value(), error.what());
        }
        running_ = true;
    }

    void run() {
        idle_since_ = Clock::now();
        while (take_commands()) {
            start_what_may();
            int running = 0;
            (void)curl_multi_perform(multi_.get(), &running);
            finish_what_ended();
            give_up_what_is_late();
            start_what_may();
            if (active_.empty() && waiting_.empty()) {
                idle_since_ = std::min(idle_since_, Clock::now());
            } else {
                idle_since_ = Clock::time_point::max();
            }
            (void)curl_multi_poll(multi_.get(), nullptr, 0, patience(), nullptr);
        }
    }

    // False: the thread is to end, and has said so.
    bool take_commands() {
        Transfers touched;
        bool ends = false;
        {
            const std::lock_guard lock(mutex_);
            std::move(added_.begin(), added_.end(), std::back_inserter(waiting_));
            added_.clear();
            std::swap(touched, touched_);
            const bool idle = active_.empty() && waiting_.empty() && touched.empty();
            ends = closed_ || (idle && Clock::now() - idle_since_ >= idle_time);
            if (ends && !closed_) return end();
        }
        for (const auto& transfer : touched) {
            if (transfer->cancelled()) {
                drop(transfer);
            } else if (active_.contains(transfer.get())) {
                resume(transfer);
            }
        }
        if (!ends) return true;
        fail_all();
        const std::lock_guard lock(mutex_);
        return end();
    }

    // With the lock held: from here on nobody wakes the thread, and a new one may begin.
    bool end() {
        multi_.reset();
        running_ = false;
        gone_.notify_all();
        return false;
    }

    void fail_all() {
        const HttpError error(ECANCELED, "cancelled");
        while (!active_.empty()) {
            const auto transfer = active_.begin()->second;
            drop(transfer);
            transfer->client_fail(error);
        }
        for (const auto& transfer : waiting_) transfer->client_fail(error);
        waiting_.clear();
    }

    void start_what_may() {
        if (waiting_.empty()) return;
        std::unordered_map<std::string, unsigned> of_origin;
        unsigned all = 0;
        for (const auto& [_, transfer] : active_) {
            if (transfer->client_is_paused()) continue;
            ++of_origin[transfer->origin()];
            ++all;
        }
        Transfers later;
        for (auto& transfer : waiting_) {
            if (transfer->cancelled()) continue;
            unsigned& begun = of_origin[transfer->origin()];
            if (all >= most_at_once || begun >= most_of_an_origin) {
                later.push_back(std::move(transfer));
                continue;
            }
            if (!start(transfer)) continue;
            ++begun;
            ++all;
        }
        waiting_ = std::move(later);
    }

    bool start(const std::shared_ptr<HttpTransfer>& transfer) {
        try {
            EasyHandle handle(curl_easy_init());
            if (!handle) throw std::bad_alloc();
            transfer->client_begin(std::move(handle));
        } catch (const HttpError& error) {
            transfer->client_fail(error);
            return false;
        } catch (const std::exception& error) {
            transfer->client_fail(HttpError(ENOMEM, error.what()));
            return false;
        }
        const CURLMcode code = curl_multi_add_handle(multi_.get(), transfer->client_handle());
        if (code != CURLM_OK) {
            transfer->client_fail(HttpError(ENOMEM, curl_multi_strerror(code)));
            return false;
        }
        active_.emplace(transfer.get(), transfer);
        return true;
    }

    // An active one's handle leaves libcurl; its connection, too, when its answer has not come to
    // the end.
    void drop(const std::shared_ptr<HttpTransfer>& transfer) {
        if (active_.erase(transfer.get()) == 0) return;  // waiting ones are passed over
        transfer->client_abandon();
        const EasyHandle handle = transfer->client_take_handle();
        (void)curl_multi_remove_handle(multi_.get(), handle.get());
    }

    void resume(const std::shared_ptr<HttpTransfer>& transfer) {
        const auto failure = transfer->client_resume();
        if (!failure) return;
        drop(transfer);
        transfer->client_fail(*failure);
    }

    void finish_what_ended() {
        int left = 0;
        while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            const CURLcode code = message->data.result;
            HttpTransfer* which = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &which);
            const auto transfer = active_.at(which);
            const bool again = transfer->client_finish(code);
            drop(transfer);
            if (again) waiting_.push_front(transfer);
        }
    }

    void give_up_what_is_late() {
        const auto now = Clock::now();
        Transfers late;
        for (const auto& [_, transfer] : active_) {
            const auto deadline = transfer->client_deadline();
            if (deadline && *deadline <= now) late.push_back(transfer);
        }
        for (const auto& transfer : late) {
            drop(transfer);
            if (transfer->client_time_out()) waiting_.push_front(transfer);
        }
    }

    [[nodiscard]] int patience() const {
        const auto now = Clock::now();
        auto until = now + longest_poll;
        for (const auto& [_, transfer] : active_) {
            if (const auto deadline = transfer->client_deadline()) {
                until = std::min(until, *deadline);
            }
        }
        const auto left = std::chrono::ceil<milliseconds>(std::max(until, now) - now);
        return static_cast<int>(left.count());
    }

    const pid_t process_ = ::getpid();

    std::mutex mutex_;
    std::condition_variable gone_;
    Transfers added_;
    Transfers touched_;
    bool running_ = false;
    bool closed_ = false;
    // Made and freed with the lock held, so that whoever has it may wake the thread; else the
    // thread's.
    MultiHandle multi_;

    // The thread's.
    Transfers waiting_;
    std::unordered_map<HttpTransfer*, std::shared_ptr<HttpTransfer>> active_;
    Clock::time_point idle_since_;
};

HttpClient::HttpClient() : state_(std::make_shared<State>()) {}

HttpClient::~HttpClient() { close(); }

void HttpClient::close() noexcept { state_->close(); }

std::unique_ptr<HttpStream> HttpClient::get(HttpRequest request, std::function<void()> on_change) {
    auto transfer = std::make_shared<HttpTransfer>(std::move(request), std::move(on_change));
    transfer->client = state_;
    auto stream = std::make_unique<HttpStream>(transfer);
    state_->add(std::move(transfer));
    return stream;
}

HttpStream::HttpStream(std::shared_ptr<HttpTransfer> transfer) : transfer_(std::move(transfer)) {}

HttpStream::~HttpStream() {
    if (complete_) return;
    transfer_->cancel();
    if (const auto client = transfer_->client.lock()) client->touch(transfer_);
}

bool HttpStream::look() {
    if (position_ < taken_.size()) return true;
    taken_.clear();
    position_ = 0;
    if (decoder_ && decoder_->go_on(taken_)) return true;
    std::vector<char> come;
    std::swap(come, taken_);  // its room is used again
    const HttpTransfer::Found found = transfer_->look(come);
    head_ = found.head;
    complete_ = found.complete;
    if (found.resume) {
        if (const auto client = transfer_->client.lock()) client->touch(transfer_);
    }
    if (found.coding == http::Coding::identity) {
        std::swap(come, taken_);
    } else {
        decode(std::move(come));
    }
    return found.any;
}

void HttpStream::decode(std::vector<char> come) {
    if (!decoder_) decoder_ = std::make_unique<http::Decoder>();
    decoder_->add(std::move(come));
    (void)decoder_->go_on(taken_);
    if (complete_ && decoder_->lacks_input() && !decoder_->is_whole()) {
        throw HttpError(EPROTO, "its encoded content is cut");
    }
}

const HttpHead* HttpStream::head() const noexcept { return head_; }

std::span<const char> HttpStream::bytes() const noexcept {
    return std::span(taken_).subspan(position_);
}

void HttpStream::take(std::size_t count) noexcept { position_ += count; }

bool HttpStream::ended() const noexcept {
    return complete_ && position_ == taken_.size() && (!decoder_ || decoder_->is_whole());
}

std::string printable_url(const std::string& url) { return http::Url(url).printable(); }

}  // namespace filetree
