#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "filetree/compare.hpp"
#include "filetree/http.hpp"
#include "source.hpp"
#include "url_stream.hpp"

namespace filetree::compare {

// A URL that is read at any place, for those who have to wait for it.
//
// What is read in order comes by one GET. The first MiB stays, as formats are recognized there. A
// jump asks for a range, of the last MiB at once, as directories are there; where the server has no
// ranges, or does not say the length, what begins like an archive with its directory at the end is
// kept in memory (1 GiB at most), and anything else is read anew, a few times.
//
// Threads: one at a time. Calls wait; they throw `cancelled` soon after `stopping` is true.
class UrlSource final : public Source {
   public:
    UrlSource(std::shared_ptr<HttpClient> client, SourceRef source, std::function<bool()> stopping);
    ~UrlSource() override;

    [[nodiscard]] const std::string& name() const noexcept override { return name_; }
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept override { return size_; }
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<char> out) override;
    [[nodiscard]] bool is_seekable() const noexcept override { return kept_ || has_ranges(); }
    // Each answer has been found to be of the same content when it came.
    void check_unchanged() override {}

   private:
    class Signal;
    // Bytes of the source that are in memory.
    struct Part {
        std::uint64_t first = 0;
        std::vector<char> bytes;
        [[nodiscard]] std::size_t read(std::uint64_t offset, std::span<char> out) const;
    };

    [[nodiscard]] bool has_ranges() const noexcept;
    // Asks for what is at `first` and behind it, `last` included.
    void ask(std::uint64_t first, std::optional<std::uint64_t> last);
    // Also waits for the head. Where the server has ranges no longer, it begins at 0.
    void begin_at(std::uint64_t first, std::optional<std::uint64_t> last);
    // Until the head has come.
    void await_head();
    // What has come next; nothing at the end.
    [[nodiscard]] std::span<const char> next();
    void wait();
    // Goes on in the stream, or begins one, so that next() is what is at `offset`.
    void go_to(std::uint64_t offset);
    // From the beginning of the stream, into head_.
    void keep_everything();
    void keep_everything_anew();
    [[noreturn]] void fail_as_too_large() const;
    [[noreturn]] void fail_as_changed() const;
    // What comes at position_ is what came there the first time, as far as that is known.
    void expect_known(std::span<const char> bytes) const;
    // Unless it turns out that the server has no ranges.
    void keep_tail();

    const std::shared_ptr<HttpClient> client_;
    const SourceRef source_;
    const std::function<bool()> stopping_;
    const std::shared_ptr<Signal> signal_;
    std::string name_;
    std::unique_ptr<UrlStream> stream_;
    std::uint64_t position_ = 0;  // of what next() gives
    unsigned restarts_ = 0;
    bool kept_ = false;  // all of it is in head_
    HttpHead first_head_;
    std::optional<std::uint64_t> size_;
    Part head_;  // the beginning, as far as it has been read
    Part tail_;  // the end, once it was asked for
};

}  // namespace filetree::compare
