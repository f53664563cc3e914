#pragma once

// A decorator that makes another file system fail, wait or hang where a test says so.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "filetree/fs.hpp"

namespace filetree {

// One call about to be made. `path` is the entry's path as the walk would report it.
struct FaultyCall {
    Operation operation;
    std::string_view path;
};

struct Fault {
    int error = 0;                       // errno to answer; 0: ask the real file system
    std::chrono::microseconds delay{0};  // waited first
    bool hang = false;                   // wait until FaultyFileSystem::release()
};

// Decides on every call; called from many threads at once.
using FaultPolicy = std::function<Fault(const FaultyCall&)>;

class FaultyFileSystem final : public FileSystem {
   public:
    FaultyFileSystem(std::shared_ptr<FileSystem> inner, FaultPolicy policy);
    ~FaultyFileSystem() override;

    [[nodiscard]] Result<std::shared_ptr<Directory>> open(const std::string& path,
                                                          CallContext& context,
                                                          bool follow = true) override;
    [[nodiscard]] StatResult attributes(const std::string& path, bool follow, StatMask mask,
                                        CallContext& context) override;
    [[nodiscard]] bool has_mounts_below(const std::string& path) const override;
    [[nodiscard]] std::size_t descriptor_budget() const override;

    // Lets every hanging call go on, now and later.
    void release();
    // Directories open at this moment, and the most there ever were.
    [[nodiscard]] std::size_t open_directories() const;
    [[nodiscard]] std::size_t most_open_directories() const;
    void set_descriptor_budget(std::size_t budget);

    struct State;

   private:
    std::shared_ptr<State> state_;
};

}  // namespace filetree
