#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "filetree/compare.hpp"
#include "job.hpp"
#include "pair_reader.hpp"
#include "pattern.hpp"
#include "shortage.hpp"
#include "tree_place.hpp"

namespace filetree::compare {

// Throws CompareError.
[[noreturn]] void fail_at_top(int error, const std::string& path);

// A part of the comparison of two trees. Made and destroyed while its TreeJob lives.
class TreeWork {
   public:
    TreeWork() = default;
    TreeWork(const TreeWork&) = delete;
    TreeWork& operator=(const TreeWork&) = delete;
    virtual ~TreeWork() = default;

    // Both with the job's lock held. Whether there is no piece of it left to hand out.
    [[nodiscard]] virtual bool exhausted() const = 0;
    // The next piece; `self` keeps this alive for as long as the piece lives.
    [[nodiscard]] virtual Job::Piece claim(const std::shared_ptr<TreeWork>& self) = 0;
};

// Two trees.
//
// What is to be done stands on a stack, the last found first, so that memory follows the depth and
// the differences. What keeps files open stands on another, which comes first, so that there is no
// more of it than there are threads.
//
// Threads: the stacks, and what a TreeWork hands out, under the job's lock; what was found, under
// found_mutex_; all else never changes.
class TreeJob final : public Job {
   public:
    // Without the second top, the files of the first one are found to be only there.
    TreeJob(const std::shared_ptr<FileSystem>& fs, std::string top_a, std::string top_b,
            TreeOptions options);

    // Once it has ended without a failure.
    [[nodiscard]] const Differences& differences() const noexcept { return found_; }
    [[nodiscard]] TreeComparison::Progress progress() const noexcept {
        return {files_.load(), bytes_.load()};
    }

    // For the parts. Paths are relative to the top.
    [[nodiscard]] const TreeOptions& options() const noexcept { return options_; }
    [[nodiscard]] bool ignores(std::string_view name) const { return ignore_.match(name); }
    using Job::stop_flag;
    void push(std::shared_ptr<TreeWork> work);
    // Work that keeps files open, and is done before all other, so that there is never much of it.
    void push_open(std::shared_ptr<TreeWork> work);
    [[nodiscard]] std::unique_lock<std::mutex> lock() const { return std::unique_lock(mutex_); }
    // After an open has failed: whether to try again, as descriptors may be free by then.
    [[nodiscard]] bool is_worth_another_try(int error);
    void differs(std::string path, DiffReason reason);
    void is_only_in(const Tree& tree, std::string path);
    void fails(std::string path, std::string what);
    // Nothing is left to be read of these two. The path is asked for only when they differ. Throws
    // CompareError.
    void finish(PairReader& files, const std::function<std::string()>& path);

   private:
    [[nodiscard]] Piece take() override;
    [[nodiscard]] bool has_more() const override;
    void conclude() override;
    void release() noexcept override;
    void open_tops();

    const TreeOptions options_;
    const Patterns ignore_;
    Tree a_;
    Tree b_;
    Shortage shortage_;
    bool begun_ = false;
    using Stack = std::vector<std::shared_ptr<TreeWork>>;
    Stack stack_;
    Stack open_;

    std::mutex found_mutex_;
    Differences found_;
    std::atomic<std::uint64_t> files_{0};
    std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace filetree::compare
