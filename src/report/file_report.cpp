#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "compressor.hpp"
#include "csv_sink.hpp"
#include "filetree/report.hpp"
#include "path_sink.hpp"

namespace filetree {
namespace {

using report::ByteBuffer;
using report::TextQueue;

void write_all(int fd, const std::string& name, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            throw SystemError(errno, name);
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::unique_ptr<EntrySink> make_sink(const TextOptions& options,
                                     const std::shared_ptr<TextQueue>& queue,
                                     const std::shared_ptr<Report::Shared>& shared) {
    if (options.format == TextFormat::csv) {
        return std::make_unique<report::CsvSink>(queue, shared);
    }
    return std::make_unique<report::PathSink>(queue, options);
}

}  // namespace

// The thread that writes, and what it came to.
struct FileReport::Writer {
    Writer(std::size_t threshold, std::shared_ptr<ConsumerGauge> gauge, const TextOptions& options_,
           int fd_, std::string name_)
        : queue(std::make_shared<TextQueue>(threshold, std::move(gauge))),
          options(options_),
          fd(fd_),
          name(std::move(name_)),
          compressor(report::make_compressor(options_.compression)),
          thread([this] { run(); }) {}

    ~Writer() {
        queue->close();
        thread.join();
    }

    void run() noexcept {
        try {
            write_everything();
        } catch (...) {
            failure = std::current_exception();
            queue->close();  // workers must not wait for a writer that is no more
        }
        const std::lock_guard lock(mutex);
        done = true;
        changed.notify_all();
    }

    void write_everything() {
        if (options.format == TextFormat::csv && options.header) put(report::csv_header);
        ByteBuffer piece;
        for (;;) {
            switch (queue->pop(piece, std::chrono::hours(1))) {
                case TextQueue::Pop::piece:
                    put(piece.view());
                    break;
                case TextQueue::Pop::timeout:
                    break;
                case TextQueue::Pop::end:
                    finish();
                    return;
            }
        }
    }

    void put(std::string_view bytes) {
        if (!compressor) return write_counted(bytes);
        compressor->compress(bytes, compressed);
        constexpr std::size_t worth_writing = std::size_t{256} << 10U;
        if (compressed.size() >= worth_writing) write_compressed();
    }
    void finish() {
        if (!compressor) return;
        compressor->finish(compressed);
        write_compressed();
    }
    void write_compressed() {
        write_counted(compressed.view());
        compressed.clear();
    }
    void write_counted(std::string_view bytes) {
        write_all(fd, name, bytes);
        written.fetch_add(bytes.size(), std::memory_order_relaxed);
    }

    const std::shared_ptr<TextQueue> queue;
    const TextOptions options;
    const int fd;
    const std::string name;
    std::unique_ptr<report::Compressor> compressor;
    ByteBuffer compressed;
    std::atomic<std::uint64_t> written{0};

    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    std::exception_ptr failure;  // written before `done`

    std::thread thread;  // the last member: it uses the others
};

FileReport::FileReport(std::shared_ptr<FileSystem> fs, const std::string& top,
                       const ReportOptions& options, const TextOptions& text, int fd,
                       std::string name)
    : writer_(std::make_unique<Writer>(options.buffer_threshold, shared_->gauge, text, fd,
                                       std::move(name))) {
    WalkOptions walk = options.walk;
    walk.attributes = text.format == TextFormat::csv;
    walk_ = std::make_unique<Walk>(
        std::move(fs), top, walk,
        [queue = writer_->queue, shared = shared_, text] { return make_sink(text, queue, shared); },
        shared_->gauge);
    walk_->on_finished([queue = writer_->queue] { queue->finish(); });
}

FileReport::~FileReport() { FileReport::close(); }

void FileReport::close() noexcept {
    writer_->queue->close();
    walk_->close();
}

bool FileReport::wait(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(writer_->mutex);
    if (!writer_->changed.wait_for(lock, timeout, [this] { return writer_->done; })) return false;
    if (writer_->failure) std::rethrow_exception(writer_->failure);
    rethrow_failure();
    if (walk_->cancelled()) throw SystemError(ECANCELED, walk_->top());
    return true;
}

std::uint64_t FileReport::bytes_written() const noexcept {
    return writer_->written.load(std::memory_order_relaxed);
}

}  // namespace filetree
