#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "difference.hpp"
#include "file_source.hpp"
#include "filetree/compare.hpp"
#include "filetree/http.hpp"
#include "url_stream.hpp"

namespace filetree::compare {

// One side of a pair, as a stream: a URL, or a file, which is open only once the other side has
// begun to come.
//
// Threads: one at a time. Calls throw CompareError.
class StreamSide {
   public:
    StreamSide(FileSystem& fs, HttpClient& client, const SourceRef& source, std::size_t chunk,
               const std::function<void()>& on_change);

    [[nodiscard]] UrlStream* url() noexcept { return url_ ? &*url_ : nullptr; }
    // Whether what can be known before the content is known.
    [[nodiscard]] bool is_known() const noexcept { return !url_ || url_->head() != nullptr; }
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept;

    // False: nothing has come, and on_change will be called when something has.
    [[nodiscard]] bool look();
    [[nodiscard]] std::span<const char> bytes() const noexcept;
    void take(std::size_t count) noexcept;
    [[nodiscard]] bool ended() const noexcept;

    // A file's.
    [[nodiscard]] FileSource& file();
    void check_unchanged();

   private:
    FileSystem& fs_;
    std::optional<UrlStream> url_;

    std::string path_;
    Attributes seen_{};
    std::optional<std::uint64_t> size_;
    std::size_t chunk_ = 0;
    std::unique_ptr<FileSource> file_;
    std::vector<char> buffer_;
    std::size_t position_ = 0;
    std::uint64_t offset_ = 0;
    bool at_end_ = false;
};

// Two sources of which at least one is a URL, compared as their bytes come: one GET for each, which
// ends at the first difference. Of large ones some places are asked for besides, and looked at
// first.
//
// Threads: one at a time; `on_change` is called by any.
class StreamPair {
   public:
    // Begins. Throws CompareError when a file cannot be read.
    StreamPair(FileSystem& fs, HttpClient& client, const SourceRef& a, const SourceRef& b,
               const CompareOptions& options, std::function<void()> on_change);

    // Does what can be done now. Throws CompareError.
    [[nodiscard]] StreamStep go_on(const std::atomic<bool>& stop);

    // Once it is done.
    [[nodiscard]] Difference difference() const noexcept { return difference_; }
    [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_.load(); }

   private:
    // A place of both, 64 KiB of it.
    struct Sample {
        std::uint64_t offset;
        std::array<std::optional<UrlStream>, 2> urls;  // none for a file
        std::array<std::string, 2> bytes;
        bool given_up = false;
    };

    void judge();
    void begin_samples(std::uint64_t size);
    // True when something has come. Sets difference_ where a sample differs.
    [[nodiscard]] bool look_at_samples();
    [[nodiscard]] bool look_at(Sample& sample, unsigned side);
    [[nodiscard]] bool is_whole(const Sample& sample, unsigned side) const noexcept;
    // Compares what both have.
    [[nodiscard]] bool compare_what_came();
    [[nodiscard]] StreamStep conclude();

    HttpClient& client_;
    const SourceRef sources_[2];
    const CompareOptions options_;
    const std::function<void()> on_change_;
    std::unique_ptr<StreamSide> sides_[2];
    bool judged_ = false;
    std::vector<Sample> samples_;
    Difference difference_ = Difference::none;
    std::atomic<std::uint64_t> bytes_read_{0};
};

}  // namespace filetree::compare
